//! Every hostile guest and every act of it: run each in a process of its own, measured, judged.
//!
//! `cargo xtask hostile` prints the table, and the tests hold it.

mod act;
mod attack;
mod component;
mod list;
mod print;
mod room;
mod table;

pub use act::{Seen, act, warm};
pub use attack::{Attack, Due, Phase, Source, attack, raw};
pub use component::{raw_acts, raw_folder};
pub use list::all;
pub use room::{CANARIES, has_canary};
pub use table::{Line, Patience, Table};
