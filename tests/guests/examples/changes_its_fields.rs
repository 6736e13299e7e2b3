//! A masker that tries to announce other fields each time it is opened, by chance, by the clock or
//! by what it saw before. The host must give it nothing to tell the times apart by.

use std::sync::atomic::{AtomicU64, Ordering};

use glovebox_guests::{Batch, DataType, Field, Grant, Masked, Masker, column, replaced};

static BATCHES: AtomicU64 = AtomicU64::new(0);
static ANNOUNCED: AtomicU64 = AtomicU64::new(0);

struct Act;

fn announced() -> DataType {
    match ANNOUNCED.load(Ordering::Relaxed) % 3 {
        0 => DataType::Int64,
        1 => DataType::Date,
        _ => DataType::Text,
    }
}

impl Masker for Act {
    fn fields(grant: &Grant) -> Vec<Field> {
        let signs = wasip2::random::random::get_random_u64()
            ^ wasip2::clocks::monotonic_clock::now()
            ^ wasip2::clocks::wall_clock::now().seconds
            ^ BATCHES.load(Ordering::Relaxed);
        ANNOUNCED.store(signs, Ordering::Relaxed);
        let mut fields = grant.fields.clone();
        for &mask in &grant.masks {
            let masked = fields.iter_mut().skip(mask as usize).take(1);
            masked.for_each(|f| f.data_type = announced());
        }
        fields
    }

    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        BATCHES.fetch_add(1, Ordering::Relaxed);
        let masked = |&m: &u32| replaced(m, column(&announced(), batch.rows));
        grant.masks.iter().map(masked).collect()
    }
}

glovebox_guests::masker!(Act);
