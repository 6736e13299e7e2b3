//! What it costs to undo a mask by trying: the method, how many cells there can be, and the key.
//!
//! Refuses masks that fall to a known key within a year, and forms with too few values to permute.
//!
//! One NVIDIA RTX 4090, by hashcat's published benchmarks (v6.2.6, 2022): SHA-256 (mode 1400)
//! 21,975.5 MH/s; PBKDF2-HMAC-SHA-256 (mode 10900) 8,865.7 kH/s of 999 iterations, which is
//! 8.857·10⁹ iterations a second. What is said for HMAC takes it for as cheap as one SHA-256.

use glovebox_core::{DataType, Kept, Method, World};
use glovebox_manifest::Manifest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::PersonalKind;

use crate::armed::{ArmedStep, name_of};
use crate::weak::Weakness;

const SHA256_A_SECOND: f64 = 21_975.5e6;
const ITERATIONS_A_SECOND: f64 = 8.857e9;
/// Graphics cards of an attacker who means it.
const CARDS: f64 = 8.0;
const YEAR: f64 = 365.25 * 24.0 * 3600.0;
/// Values that FF1 has to have to choose among (NIST SP 800-38G rev. 1).
const FF1_VALUES: u64 = 1_000_000;

/// How many cells there can be.
pub fn values(kind: PersonalKind) -> u64 {
    match kind {
        // 001 to 899 but 666, 01 to 99, 0001 to 9999, less those that are never given.
        PersonalKind::UsSsn => 888_931_098,
        // North American numbers: area code and exchange begin with 2 to 9.
        PersonalKind::Phone => 6_400_000_000,
        // Of 120 years.
        PersonalKind::BirthDate => 43_830,
        PersonalKind::Postcode => 100_000,
        PersonalKind::Ipv4 => 1 << 32,
        // Of one issuer: nine digits between its six and the check digit.
        PersonalKind::Card => 1_000_000_000,
    }
}

/// What undoing the mask of a column takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttackCost {
    /// The column.
    pub column: String,
    /// What it holds, where the manifest says so.
    pub kind: Option<PersonalKind>,
    /// The step that masks it.
    pub step: String,
    /// The method, or the plugin.
    pub mask: String,
    /// Who undoes it, and what that takes.
    pub undone_by: String,
}

/// The costs of all masked columns, in the order of the steps.
pub fn costs(manifest: &Manifest, steps: &[ArmedStep<'_>]) -> Vec<AttackCost> {
    let masking = steps
        .iter()
        .enumerate()
        .filter(|(_, s)| s.planned.plugin.world() == World::Masker);
    masking
        .flat_map(|(i, step)| {
            let masks = &step.planned.grants.masks;
            masks.iter().map(move |&column| (i, step, column))
        })
        .map(|(i, step, column)| {
            let name = name_of(step.planned, column);
            let kind = kind_of(manifest, steps, i, column);
            let order = step.keyed.iter().find(|order| order.column == column);
            AttackCost {
                column: name.to_owned(),
                kind,
                step: step.planned.name.to_string(),
                mask: order.map_or_else(
                    || step.planned.plugin.name().to_owned(),
                    |order| order.method.name().to_owned(),
                ),
                undone_by: within(step)
                    + &match order {
                        None => kept(step, column),
                        Some(order) if step.remote.contains(&order.key) => {
                            "whoever may use the key on its server, by asking it for likely values"
                                .into()
                        }
                        Some(order) => undone_by(&order.method, weakness(step, &order.key), kind),
                    },
            }
        })
        .collect()
}

/// Masks that are none, at the place of the step's key.
pub(crate) fn refused(manifest: &Manifest, steps: &[ArmedStep<'_>]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (i, (written, step)) in manifest.steps.iter().zip(steps).enumerate() {
        for order in &step.keyed {
            let name = name_of(step.planned, order.column);
            let Some(kind) = kind_of(manifest, steps, i, order.column) else {
                continue;
            };
            let key = written.keys.iter().find(|key| key.name.value == order.key);
            let span = key.map_or(&written.span, |key| &key.name.span);
            let count = grouped(values(kind));
            let small = matches!(&order.method, Method::Ff1(_)) && values(kind) < FF1_VALUES;
            let cells = step
                .planned
                .grants
                .fields
                .get(order.column)
                .map(|f| f.data_type);
            if small && cells == Some(DataType::Text) {
                let problem = format!(
                    "`{name}` has {count} possible values ({kind}), too few for ff1, which needs 1,000,000"
                );
                problems.push(
                    Diagnostic::error(span.clone(), problem)
                        .help("use `mask: encrypt`, or `mask: generalize` for a coarser value"),
                );
            }
            // With the key in hand, what can be undone is undone at once.
            let time =
                match order.method.is_undone() || matches!(order.method, Method::Shift { .. }) {
                    true => Some(0.0),
                    false => seconds(&order.method, kind),
                };
            if weakness(step, &order.key) == Some(Weakness::Known)
                && let Some(seconds) = time.filter(|seconds| seconds / CARDS < YEAR)
            {
                let problem = format!(
                    "the mask of `{name}` can be reversed by brute force: attackers know its key, \
                    and trying all {count} possible values ({kind}) takes {} on {CARDS} graphics \
                    cards",
                    spelt(seconds / CARDS)
                );
                problems.push(Diagnostic::error(span.clone(), problem).help(
                    "no number of iterations protects a known key; make a new one with: glovebox \
                    secret set NAME \
                     --generate",
                ));
            }
        }
    }
    problems
}

/// What the column that a step was granted holds, also where queries before it have given it other names or have
/// computed it.
fn kind_of(
    manifest: &Manifest,
    steps: &[ArmedStep<'_>],
    step: usize,
    column: usize,
) -> Option<PersonalKind> {
    let granted = steps.get(step)?.planned;
    if let Some(kind) = declared_kind(manifest, name_of(granted, column)) {
        return Some(kind);
    }
    let mut places = vec![*granted.inputs.get(column)?];
    for (i, step) in steps.get(..step)?.iter().enumerate().rev() {
        let back = places.iter().flat_map(|&place| {
            let before = step.planned.before(place).into_iter();
            before.chain(step.planned.made_of(place).iter().copied())
        });
        places = back.collect();
        let name = |&place: &usize| match i.checked_sub(1).and_then(|i| steps.get(i)) {
            Some(before) => Some(&*before.planned.output.fields.get(place)?.name),
            None => Some(manifest.columns.get(place)?.name.as_str()),
        };
        let mut kinds = places
            .iter()
            .filter_map(name)
            .map(|name| declared_kind(manifest, name));
        if let Some(kind) = kinds.find_map(|kind| kind) {
            return Some(kind);
        }
    }
    None
}

fn declared_kind(manifest: &Manifest, column: &str) -> Option<PersonalKind> {
    let added = manifest.steps.iter().flat_map(|step| &step.adds);
    let mut declared = manifest.columns.iter().chain(added);
    let declared = declared.find(|c| c.name.value == column && c.kind.is_some())?;
    declared.kind.as_ref().map(|kind| kind.value)
}

fn weakness(step: &ArmedStep<'_>, key: &str) -> Option<Weakness> {
    let mut newest = step.weak.iter().filter(|weak| weak.masks);
    newest
        .find(|weak| weak.key == key)
        .map(|weak| weak.weakness)
}

/// Seconds that one graphics card takes to try all values, once it has the key.
fn seconds(method: &Method, kind: PersonalKind) -> Option<f64> {
    let values = values(kind) as f64;
    match method {
        Method::HmacSha256 => Some(values / SHA256_A_SECOND),
        Method::Pbkdf2Sha256 { iterations } => {
            Some(values * f64::from(*iterations) / ITERATIONS_A_SECOND)
        }
        Method::Pick(_) => Some(values / SHA256_A_SECOND),
        Method::Token => Some(values / SHA256_A_SECOND),
        Method::AesSiv | Method::Ff1(_) | Method::Fernet | Method::Seal | Method::Shift { .. } => {
            None
        }
    }
}

fn undone_by(method: &Method, weakness: Option<Weakness>, kind: Option<PersonalKind>) -> String {
    let whoever = match weakness {
        None => "whoever has the key",
        Some(Weakness::Short) => "whoever has or finds the key, which is SHORT",
        Some(Weakness::Known) => "EVERYBODY: the key is one that attackers know",
    };
    match method {
        Method::HmacSha256 | Method::Pbkdf2Sha256 { .. } => {
            match kind.and_then(|kind| Some((kind, seconds(method, kind)?))) {
                Some((kind, time)) => format!(
                    "{whoever}, by trying: all {} values in {} on one RTX 4090",
                    grouped(values(kind)),
                    spelt(time)
                ),
                None => format!("{whoever}, by trying likely values"),
            }
        }
        Method::Ff1(form) if form.keep_first > 0 || form.keep_last > 0 => format!(
            "{whoever}; at once. The first {} and the last {} characters are readable",
            form.keep_first, form.keep_last
        ),
        Method::AesSiv | Method::Ff1(_) | Method::Fernet => format!("{whoever}; at once"),
        Method::Seal => "whoever has the private key; at once".into(),
        Method::Token => {
            let two = "two officers together, at once";
            match kind.and_then(|kind| Some((kind, seconds(method, kind)?))) {
                Some((kind, time)) => format!(
                    "{two}; {whoever}, by trying: all {} values in {} on one RTX 4090",
                    grouped(values(kind)),
                    spelt(time)
                ),
                None => format!("{two}; {whoever}, by trying likely values"),
            }
        }
        Method::Pick(_) => {
            format!("{whoever}, by trying likely values; where few fakes exist, several fit")
        }
        Method::Shift { days, .. } => format!(
            "{whoever}, and whoever knows one true date of the entity; else {} offsets are possible",
            grouped(2 * u64::from(*days))
        ),
    }
}

/// Of a step that masks inside of documents: where; the rest is not masked.
fn within(step: &ArmedStep<'_>) -> String {
    let paths = step
        .planned
        .inside
        .iter()
        .map(|inside| inside.path.to_string());
    let paths: Vec<_> = paths.collect();
    match paths.is_empty() {
        true => String::new(),
        false => format!("only at {}, the rest is readable: ", paths.join(", ")),
    }
}

/// Of a mask that the plugin makes itself: what may stay of the cell.
fn kept(step: &ArmedStep<'_>, column: usize) -> String {
    let guarded = step.planned.guarded.iter().find(|g| g.column == column);
    match guarded.map(|guarded| &guarded.kept) {
        Some(Kept::Constant(_)) => "nobody: nothing of the cell is left".into(),
        Some(kept) => format!("depends on what stays: {kept}"),
        None => "depends on what stays, which nothing guards".into(),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds in words, of the unit that fits.
fn spelt(seconds: f64) -> String {
    let of = [
        (1.0, 120.0, "s"),
        (60.0, 120.0 * 60.0, "min"),
        (3600.0, 48.0 * 3600.0, "h"),
        (86_400.0, YEAR, "days"),
    ];
    if seconds < 1.0 {
        return "less than a second".into();
    }
    let unit = of.iter().find(|(_, below, _)| seconds < *below);
    let (unit, _, name) = unit.copied().unwrap_or((YEAR, f64::INFINITY, "years"));
    let amount = seconds / unit;
    match amount < 100.0 {
        true => format!("{amount:.1} {name}"),
        false => format!("{} {name}", grouped(amount as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of one card for US social security numbers: 0.04 s unkeyed, 16.7 h for PBKDF2 with
    /// 600,000 iterations under a known salt.
    #[test]
    fn published_rates_give_published_times() {
        let fast = seconds(&Method::HmacSha256, PersonalKind::UsSsn).unwrap();
        assert!((0.040..0.041).contains(&fast), "{fast}");
        let slow = Method::Pbkdf2Sha256 {
            iterations: 600_000,
        };
        let slow = seconds(&slow, PersonalKind::UsSsn).unwrap();
        assert_eq!(spelt(slow), "16.7 h");
        assert_eq!(spelt(fast), "less than a second");
    }

    #[test]
    fn times_and_numbers_are_spelt_in_a_unit_that_fits() {
        for (seconds, text) in [
            (1.0, "1.0 s"),
            (119.0, "119 s"),
            (150.0, "2.5 min"),
            (7200.0, "2.0 h"),
            (48.0 * 3600.0, "2.0 days"),
            (YEAR, "1.0 years"),
            (YEAR * 12_345.0, "12,345 years"),
        ] {
            assert_eq!(spelt(seconds), text);
        }
        assert_eq!(grouped(1 << 32), "4,294,967,296");
        assert_eq!(grouped(999), "999");
    }
}
