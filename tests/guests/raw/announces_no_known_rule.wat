;; Announces a rule whose texts are none, or whose column is no option. The host must refuse it
;; before the first row.
;; world: validator
;; act id-not-utf8: WHAT=(i32.store (i32.const 8192) (i32.const 9000)) (i32.store (i32.const 8196) (i32.const 1))
;; act id-outside: WHAT=(i32.store (i32.const 8192) (i32.const 0xfffffff0)) (i32.store (i32.const 8196) (i32.const 1))
;; act id-longest: WHAT=(i32.store (i32.const 8196) (i32.const 0xffffffff))
;; act column: WHAT=(i32.store8 (i32.const 8200) (i32.const 2))
;; act column-last: WHAT=(i32.store8 (i32.const 8200) (i32.const 1)) (i32.store (i32.const 8204) (i32.const 0xffffffff))
;; act message-not-utf8: WHAT=(i32.store (i32.const 8208) (i32.const 9000)) (i32.store (i32.const 8212) (i32.const 1))
;; act message-outside: WHAT=(i32.store (i32.const 8208) (i32.const 0xfffffff0)) (i32.store (i32.const 8212) (i32.const 1))
;; act list-crooked: WHAT=(i32.store (i32.const 4200) (i32.const 8193))
;; act list-longest: WHAT=(i32.store (i32.const 4204) (i32.const 0xffffffff))

(func $announced (param $fields i32) (result i32)
  ;; One rule at 8192.
  (i32.store (i32.const 4200) (i32.const 8192))
  (i32.store (i32.const 4204) (i32.const 1))
  (i32.store8 (i32.const 9000) (i32.const 255))
  @WHAT@
  (i32.const 4200))
