;; Asks for memory without end when it sees the poison, and goes on asking when it is refused. The
;; host must stop it in its time.
;; world: validator
;; act page: PAGES=1
;; act gigabytes: PAGES=65000

(func $act (param $columns i32) (param $rows i32) (result i32)
  (loop $again
    (drop (memory.grow (i32.const @PAGES@)))
    (br $again))
  (i32.const 4096))
