//! SQL over batches of rows: checked before the first row, computed by Apache DataFusion.
#![forbid(unsafe_code)]
