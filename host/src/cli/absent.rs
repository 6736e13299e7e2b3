//! What stands in for the commands that this program was built without: each says so, whatever it
//! is given, and repeats none of it.

use std::convert::Infallible;
use std::str::FromStr;

use super::{Exit, say};
use crate::without::Part;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Args {
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true, num_args = 0..)]
    ignored: Vec<Ignored>,
}

/// An argument, which may be a secret; nothing is kept of it.
#[derive(Debug, Clone)]
struct Ignored;

impl FromStr for Ignored {
    type Err = Infallible;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Ignored)
    }
}

/// Says that this program was built without the command.
pub(super) fn refuse(part: &Part) -> anyhow::Result<Exit> {
    say::error(&part.refusal());
    Ok(Exit::Usage)
}
