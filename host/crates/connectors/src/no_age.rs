//! What stands for age in a program that was built without it: no file is encrypted, and none opened.

use std::io::{self, BufRead, Write};

use glovebox_core::Secret;

const WITHOUT: &str = "cannot be used: this program was built without age";

/// Nobody.
#[derive(Debug, Clone)]
pub enum Recipients {}

impl Recipients {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn parse<'k>(_: impl IntoIterator<Item = &'k str>) -> Result<Self, String> {
        Err(WITHOUT.into())
    }

    pub(crate) fn encrypt<W: Write>(&self, _: W) -> io::Result<Encrypting<W>> {
        match *self {}
    }
}

pub(crate) struct Encrypting<W>(std::convert::Infallible, std::marker::PhantomData<W>);

impl<W: Write> Encrypting<W> {
    pub(crate) fn write(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn finish(self) -> io::Result<W> {
        match self.0 {}
    }
}

/// No key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {}

impl Identity {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn parse(_: &Secret) -> Result<Self, String> {
        Err(WITHOUT.into())
    }

    pub(crate) fn decrypt<R: BufRead>(&self, _: R) -> io::Result<io::Empty> {
        match *self {}
    }
}
