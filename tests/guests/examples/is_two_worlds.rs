//! Exports two worlds, to be granted as one what it does as the other. The host must refuse it.

use glovebox_guests::{Masker, OpenMasker, Validator};

struct Act;

impl Validator for Act {}
impl Masker for Act {}

glovebox_guests::validator!(Act);
glovebox_guests::__world!(
    OpenMasker<Act>,
    MASKER,
    masker,
    __export_glovebox_plugin_masker_0_1_0_cabi
);
