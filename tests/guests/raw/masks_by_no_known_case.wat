;; Masks, when it sees the poison, by a case that no variant of the contract has, or by texts that
;; are none. The host must use none of it.
;; world: masker
;; act action: WHAT=(i32.store8 (i32.const 8196) (i32.const 3))
;; act action-255: WHAT=(i32.store8 (i32.const 8196) (i32.const 255))
;; act values: WHAT=(i32.store8 (i32.const 8200) (i32.const 8))
;; act validity: WHAT=(i32.store8 (i32.const 8220) (i32.const 2))
;; act method: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store8 (i32.const 8200) (i32.const 9))
;; act target: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store8 (i32.const 8232) (i32.const 3))
;; act nullified: WHAT=(i32.store8 (i32.const 8196) (i32.const 2)) (i32.store8 (i32.const 8200) (i32.const 3))
;; act key-not-utf8: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store8 (i32.const 9000) (i32.const 255)) (i32.store (i32.const 8224) (i32.const 9000)) (i32.store (i32.const 8228) (i32.const 1))
;; act key-outside: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store (i32.const 8224) (i32.const 0xfffffff0)) (i32.store (i32.const 8228) (i32.const 1))
;; act key-longest: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store (i32.const 8224) (i32.const 0)) (i32.store (i32.const 8228) (i32.const 0xffffffff))
;; act alphabet-not-utf8: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store8 (i32.const 8200) (i32.const 3)) (i32.store8 (i32.const 9000) (i32.const 255)) (i32.store (i32.const 8204) (i32.const 9000)) (i32.store (i32.const 8208) (i32.const 1))
;; act alphabet-outside: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store8 (i32.const 8200) (i32.const 3)) (i32.store (i32.const 8204) (i32.const 0xfffffff0)) (i32.store (i32.const 8208) (i32.const 1))
;; act spans-outside: WHAT=(i32.store8 (i32.const 8196) (i32.const 1)) (i32.store8 (i32.const 8232) (i32.const 2)) (i32.store (i32.const 8236) (i32.const 0xfffffff0)) (i32.store (i32.const 8240) (i32.const 1))
;; act values-of-another-type: WHAT=(i32.store8 (i32.const 8200) (i32.const 1)) (i32.store (i32.const 8204) (i32.const 8448)) (i32.store (i32.const 8208) (i32.const 20))
;; act offsets-outside: WHAT=(i32.store8 (i32.const 8200) (i32.const 4)) (i32.store (i32.const 8204) (i32.const 0xfffffff0)) (i32.store (i32.const 8208) (i32.const 21))
;; act nothing-at-all: WHAT=(i32.store8 (i32.const 8200) (i32.const 4))
;; act column-last: WHAT=(i32.store (i32.const 8192) (i32.const 0xffffffff))

(func $act (param $columns i32) (param $rows i32) (result i32)
  ;; One mask of column 0 at 8192, whose list is at 4200.
  (i32.store (i32.const 4200) (i32.const 8192))
  (i32.store (i32.const 4204) (i32.const 1))
  @WHAT@
  (i32.const 4200))
