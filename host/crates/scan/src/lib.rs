//! Which columns hold personal data: recognisers, which are plugins, look at samples of cells, and what
//! they find is weighed with what columns are called. It names no plugin, source or terminal, and
//! returns no cell.

mod facts;
mod hints;
mod look;
mod subject;
mod weigh;

pub use facts::config;
pub use hints::{Hint, hint};
pub use look::{CELLS, LookError, Looked, Recogniser, look};
pub use subject::{Subject, Treatment};
pub use weigh::{ASKED, SURE, Verdict, weigh, wilson};
