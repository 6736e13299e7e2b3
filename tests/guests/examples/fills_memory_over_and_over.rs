//! Fills and copies megabytes without end when it sees the poison: bulk operations, which are few
//! instructions and much time. The host must stop it in its time.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            let mut block = vec![1_u8; 8 << 20];
            for byte in (0..=u8::MAX).cycle() {
                block.fill(std::hint::black_box(byte));
                block.copy_within(1.., 0);
                std::hint::black_box(&mut block);
            }
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
