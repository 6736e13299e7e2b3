//! Does nothing wrong: what a test changes to see that the change is seen.

use glovebox_guests::Validator;

struct Act;

impl Validator for Act {}

glovebox_guests::validator!(Act);
