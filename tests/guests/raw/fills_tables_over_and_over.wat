;; Fills and moves all of its table without end when it sees the poison. The host must stop it in
;; its time.
;; world: validator

(table $t 90000 funcref)
(func $act (param $columns i32) (param $rows i32) (result i32)
  (loop $again
    (table.fill $t (i32.const 0) (ref.null func) (i32.const 90000))
    (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 89999))
    (br $again))
  (i32.const 4096))
