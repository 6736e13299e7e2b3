;; Announces fields of a type that the contract does not have, or whose names are no text. The host
;; must refuse it before the first row.
;; world: masker
;; act type: WHAT=(i32.store8 (i32.add (local.get $fields) (i32.const 8)) (i32.const 8))
;; act type-255: WHAT=(i32.store8 (i32.add (local.get $fields) (i32.const 8)) (i32.const 255))
;; act decimal: WHAT=(i32.store (i32.add (local.get $fields) (i32.const 8)) (i32.const 0x00ffff03))
;; act nothing-of-a-decimal: WHAT=(i32.store (i32.add (local.get $fields) (i32.const 8)) (i32.const 0x00000003))
;; act name-not-utf8: WHAT=(i32.store8 (i32.load (local.get $fields)) (i32.const 255))
;; act name-outside: WHAT=(i32.store (local.get $fields) (i32.const 0xfffffff0))
;; act name-longest: WHAT=(i32.store (i32.add (local.get $fields) (i32.const 4)) (i32.const 0xffffffff))
;; act name-empty: WHAT=(i32.store (i32.add (local.get $fields) (i32.const 4)) (i32.const 0))
;; act list-outside: WHAT=(i32.store (i32.const 3080) (i32.const 0xfffffff0))
;; act list-longest: WHAT=(i32.store (i32.const 3084) (i32.const 0xffffffff))

(func $announced (param $fields i32) (result i32)
  @WHAT@
  (i32.const 3080))
