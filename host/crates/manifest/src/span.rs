//! Places in a text, and values that know theirs.

use std::ops::{Deref, Range};

/// A range of bytes in the manifest's text.
pub type Span = Range<usize>;

/// A value and the place where it was written, or where it was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
