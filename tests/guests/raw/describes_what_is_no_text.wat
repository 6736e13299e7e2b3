;; Says of itself what is no text, lies elsewhere or is too long, in each of the five fields. The
;; host must refuse it when it loads it.
;; world: validator
;; act name-not-utf8: WHAT=(i32.store (i32.const 1024) (i32.const 9000)) (i32.store (i32.const 1028) (i32.const 1))
;; act name-outside: WHAT=(i32.store (i32.const 1024) (i32.const 0xfffffff0)) (i32.store (i32.const 1028) (i32.const 1))
;; act name-too-long: WHAT=(drop (memory.grow (i32.const 8))) (i32.store (i32.const 1028) (i32.const 300000))
;; act version-not-utf8: WHAT=(i32.store (i32.const 1032) (i32.const 9000)) (i32.store (i32.const 1036) (i32.const 1))
;; act version-outside: WHAT=(i32.store (i32.const 1032) (i32.const 0xfffffff0)) (i32.store (i32.const 1036) (i32.const 1))
;; act version-too-long: WHAT=(drop (memory.grow (i32.const 8))) (i32.store (i32.const 1036) (i32.const 300000))
;; act summary-not-utf8: WHAT=(i32.store (i32.const 1040) (i32.const 9000)) (i32.store (i32.const 1044) (i32.const 1))
;; act summary-outside: WHAT=(i32.store (i32.const 1040) (i32.const 0xfffffff0)) (i32.store (i32.const 1044) (i32.const 1))
;; act summary-too-long: WHAT=(drop (memory.grow (i32.const 8))) (i32.store (i32.const 1044) (i32.const 300000))
;; act documentation-not-utf8: WHAT=(i32.store (i32.const 1048) (i32.const 9000)) (i32.store (i32.const 1052) (i32.const 1))
;; act documentation-outside: WHAT=(i32.store (i32.const 1048) (i32.const 0xfffffff0)) (i32.store (i32.const 1052) (i32.const 1))
;; act documentation-too-long: WHAT=(drop (memory.grow (i32.const 8))) (i32.store (i32.const 1052) (i32.const 300000))
;; act schema-not-utf8: WHAT=(i32.store (i32.const 1056) (i32.const 9000)) (i32.store (i32.const 1060) (i32.const 1))
;; act schema-outside: WHAT=(i32.store (i32.const 1056) (i32.const 0xfffffff0)) (i32.store (i32.const 1060) (i32.const 1))
;; act schema-too-long: WHAT=(drop (memory.grow (i32.const 8))) (i32.store (i32.const 1060) (i32.const 300000))

(func $describe (result i32)
  (i32.store8 (i32.const 9000) (i32.const 255))
  @WHAT@
  (i32.const 1024))
