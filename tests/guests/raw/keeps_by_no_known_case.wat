;; Keeps rows, when it sees the poison, by what is no bitmap. The host must use none of it.
;; world: transformer
;; act option: WHAT=(i32.store8 (i32.const 4208) (i32.const 2))
;; act outside: WHAT=(i32.store8 (i32.const 4208) (i32.const 1)) (i32.store (i32.const 4212) (i32.const 0xfffffff0)) (i32.store (i32.const 4216) (i32.const 100))
;; act longest: WHAT=(i32.store8 (i32.const 4208) (i32.const 1)) (i32.store (i32.const 4216) (i32.const 0xffffffff))
;; act empty: WHAT=(i32.store8 (i32.const 4208) (i32.const 1))
;; act columns-outside: WHAT=(i32.store (i32.const 4200) (i32.const 0xfffffff0)) (i32.store (i32.const 4204) (i32.const 1))
;; act columns-longest: WHAT=(i32.store (i32.const 4204) (i32.const 0xffffffff))

(func $act (param $columns i32) (param $rows i32) (result i32)
  ;; A record at 4200: its columns, and which rows to keep.
  @WHAT@
  (i32.const 4200))
