;; Does one thing that the processor or the engine refuses when it sees the poison. The host must
;; outlive it.
;; world: validator
;; act zero: WHAT=(drop (i32.div_s (i32.const 1) (i32.const 0)))
;; act overflow: WHAT=(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))
;; act conversion: WHAT=(drop (i32.trunc_f64_s (f64.const nan)))
;; act null-call: WHAT=(call_indirect (type $none) (i32.const 0))
;; act wild-call: WHAT=(call_indirect (type $none) (i32.const 4711))
;; act wild-table: WHAT=(drop (table.get $t (i32.const 4711)))
;; act wild-write: WHAT=(i64.store (i32.const 0xfffffff8) (i64.const 1))
;; act wild-fill: WHAT=(memory.fill (i32.const 65536) (i32.const 0) (i32.const 0x7fffffff))
;; act unreachable: WHAT=(unreachable)

(table $t 1 funcref)
(type $none (func))
(func $act (param $columns i32) (param $rows i32) (result i32)
  @WHAT@
  (i32.const 4096))
