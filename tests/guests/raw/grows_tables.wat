;; Grows a table without end when it sees the poison, which costs the host memory and the guest
;; none. The host must refuse it at its limit.
;; world: validator

(table $hoard 1 funcref)
(func $act (param $columns i32) (param $rows i32) (result i32)
  (loop $again
    (if (i32.eq (table.grow $hoard (ref.null func) (i32.const 1000)) (i32.const -1))
      (then (unreachable)))
    (br $again))
  (i32.const 4096))
