;; Fills or moves all of its memory by one instruction, over and over, when it sees the poison: no
;; instruction is interrupted. The host must stop it in its time.
;; world: validator
;; act fill: PAGES=1000; BULK=(memory.fill (i32.const 0) (i32.const 7) (local.get $size))
;; act copy: PAGES=1000; BULK=(memory.copy (i32.const 1) (i32.const 0) (i32.sub (local.get $size) (i32.const 1)))
;; act gigabyte: PAGES=16000; BULK=(memory.fill (i32.const 0) (i32.const 7) (local.get $size))
;; act gigabyte-copy: PAGES=16000; BULK=(memory.copy (i32.const 1) (i32.const 0) (i32.sub (local.get $size) (i32.const 1)))

(func $act (param $columns i32) (param $rows i32) (result i32)
  (local $size i32)
  (drop (memory.grow (i32.const @PAGES@)))
  (local.set $size (i32.shl (memory.size) (i32.const 16)))
  (loop $again
    @BULK@
    (br $again))
  (i32.const 4096))
