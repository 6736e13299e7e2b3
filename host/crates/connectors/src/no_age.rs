//! What stands for age in a program that was built without it: no file is encrypted, and none opened.

use std::convert::Infallible;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;

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

    /// Nothing, since there is nobody.
    ///
    /// # Errors
    /// None.
    pub fn encrypt<W: Write>(&self, _: W) -> io::Result<Encrypting<W>> {
        match *self {}
    }
}

/// No file.
pub struct Encrypting<W: Write>(Infallible, PhantomData<W>);

impl<W: Write> Encrypting<W> {
    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn write(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn finish(self) -> io::Result<W> {
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

    /// Nothing.
    pub fn named_by(self, _: &'static str) -> Self {
        self
    }

    /// Nobody.
    pub fn recipient(&self) -> Recipients {
        match *self {}
    }

    pub(crate) fn decrypt<R: BufRead>(&self, _: R) -> io::Result<Decrypted<R>> {
        match *self {}
    }
}

/// No stream.
pub(crate) struct Decrypted<R>(Infallible, PhantomData<R>);

impl<R> Read for Decrypted<R> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl<R> Seek for Decrypted<R> {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        match self.0 {}
    }
}
