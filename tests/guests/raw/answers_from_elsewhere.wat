;; Says, when it sees the poison, that its answer lies where it cannot lie, or is longer than any
;; memory. The host must not read there.
;; world: validator
;; act return-outside: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8300; LENGTH=1; PLACE=0xfffffff0
;; act return-crooked: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8300; LENGTH=1; PLACE=4201
;; act return-at-the-end: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8300; LENGTH=1; PLACE=262140
;; act list-outside: FINDINGS=0xfffffff0; COUNT=1; RULE=0; ROWS=8300; LENGTH=1; PLACE=4200
;; act list-crooked: FINDINGS=8193; COUNT=1; RULE=0; ROWS=8300; LENGTH=1; PLACE=4200
;; act list-past-the-end: FINDINGS=8192; COUNT=30000; RULE=0; ROWS=8300; LENGTH=1; PLACE=4200
;; act list-wraps: FINDINGS=8192; COUNT=0x15555556; RULE=0; ROWS=8300; LENGTH=1; PLACE=4200
;; act list-longest: FINDINGS=8192; COUNT=0xffffffff; RULE=0; ROWS=8300; LENGTH=1; PLACE=4200
;; act rows-outside: FINDINGS=8192; COUNT=1; RULE=0; ROWS=0xfffffff0; LENGTH=1; PLACE=4200
;; act rows-crooked: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8301; LENGTH=1; PLACE=4200
;; act rows-wrap: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8300; LENGTH=0x40000000; PLACE=4200
;; act rows-longest: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8300; LENGTH=0xffffffff; PLACE=4200
;; act rule-absent: FINDINGS=8192; COUNT=1; RULE=0; ROWS=8300; LENGTH=1; PLACE=4200
;; act rule-last: FINDINGS=8192; COUNT=1; RULE=0xffffffff; ROWS=8300; LENGTH=1; PLACE=4200

(func $act (param $columns i32) (param $rows i32) (result i32)
  ;; One finding at 8192: rule 0, and its rows.
  (i32.store (i32.const 4200) (i32.const @FINDINGS@))
  (i32.store (i32.const 4204) (i32.const @COUNT@))
  (i32.store (i32.const 8192) (i32.const @RULE@))
  (i32.store (i32.const 8196) (i32.const @ROWS@))
  (i32.store (i32.const 8200) (i32.const @LENGTH@))
  (i32.const @PLACE@))
