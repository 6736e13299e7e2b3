;; Is opened as what is neither a handle nor an error, or refuses its configuration in texts that
;; are none. The host must refuse it before the first row.
;; world: validator
;; act result: PLACE=2048; WHAT=(i32.store8 (i32.const 2048) (i32.const 2))
;; act outside: PLACE=0xfffffff0; WHAT=(nop)
;; act crooked: PLACE=2049; WHAT=(nop)
;; act no-handle: PLACE=2048; WHAT=(i32.store (i32.const 2052) (i32.const 0))
;; act unknown-handle: PLACE=2048; WHAT=(i32.store (i32.const 2052) (i32.const 4711))
;; act last-handle: PLACE=2048; WHAT=(i32.store (i32.const 2052) (i32.const -1))
;; act path-not-utf8: PLACE=2048; WHAT=(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store (i32.const 2052) (i32.const 9000)) (i32.store (i32.const 2056) (i32.const 1))
;; act path-outside: PLACE=2048; WHAT=(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store (i32.const 2052) (i32.const 0xfffffff0)) (i32.store (i32.const 2056) (i32.const 1))
;; act message-not-utf8: PLACE=2048; WHAT=(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store (i32.const 2056) (i32.const 0)) (i32.store (i32.const 2060) (i32.const 9000)) (i32.store (i32.const 2064) (i32.const 1))
;; act message-longest: PLACE=2048; WHAT=(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store (i32.const 2056) (i32.const 0)) (i32.store (i32.const 2064) (i32.const 0xffffffff))
;; act empty-refusal: PLACE=2048; WHAT=(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store (i32.const 2056) (i32.const 0))

(func $opened (result i32)
  (i32.store (i32.const 2052) (call $new (i32.const 0)))
  (i32.store8 (i32.const 9000) (i32.const 255))
  @WHAT@
  (i32.const @PLACE@))
