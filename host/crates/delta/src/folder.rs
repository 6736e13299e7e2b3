//! A table's folder, on this machine or in a store: what the log asks of it.

use std::fmt;
use std::io::{self, Read, Write};

/// The folder that a table is. Names are relative to it, with `/` between their parts.
pub trait Folder: fmt::Debug + Send + Sync {
    /// The files of a folder in it, in no order; none where there is no such folder.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list(&self, folder: &str) -> io::Result<Vec<Box<dyn Entry>>>;

    /// A file from its beginning; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send>>>;

    /// Puts a whole file where there is none, at one moment; says no where there is one.
    ///
    /// # Errors
    /// When it cannot be written. It may be there all the same.
    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool>;

    /// A file under a name that nobody knows yet.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create(&self, name: &str) -> io::Result<Box<dyn Fresh>>;

    /// Removes a file that no version names, where that is possible; what is left is for the table's `VACUUM`.
    fn discard(&self, name: &str);

    /// Removes a folder that has nothing in it any more, where there are such things.
    fn discard_folder(&self, name: &str);
}

/// A file that was found.
pub trait Entry: Send {
    /// Its name, without its folder.
    fn name(&self) -> &str;

    /// Its bytes.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

/// A file that is written. Dropped it goes.
pub trait Fresh: Write + Send {
    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
