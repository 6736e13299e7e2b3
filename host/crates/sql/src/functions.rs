//! The functions that a query may call: those whose result hangs on their arguments alone.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::functions::all_default_functions;
use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::functions_window::all_default_window_functions;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Volatility, WindowUDF};

/// By name. What is missing here differs from run to run, speaks of the engine instead of the rows, makes
/// of one cell a text of any length, or makes a value that no column holds.
const ALLOWED: &[&str] = &[
    // Missing values and comparisons.
    "coalesce",
    "nullif",
    "nvl",
    "nvl2",
    "greatest",
    "least",
    // Numbers.
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "power",
    "radians",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    // Text.
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "find_in_set",
    "initcap",
    "left",
    "levenshtein",
    "lower",
    "ltrim",
    "octet_length",
    "overlay",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "to_hex",
    "translate",
    "upper",
    // Days and times.
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "to_char",
    "to_date",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
];

/// What a name stands for.
pub(crate) enum Called {
    /// One that may be called.
    Allowed(Arc<ScalarUDF>),
    /// It looks at several rows.
    Rows,
    /// It differs from run to run.
    Changing,
    /// It is there, and not allowed.
    Refused,
    /// There is none of that name.
    Unknown,
}

type ByName<F> = LazyLock<HashMap<String, Arc<F>>>;

static SCALAR: ByName<ScalarUDF> =
    LazyLock::new(|| by_name(all_default_functions(), |f| (f.name(), f.aliases())));

static AGGREGATES: ByName<AggregateUDF> = LazyLock::new(|| {
    by_name(all_default_aggregate_functions(), |f| {
        (f.name(), f.aliases())
    })
});

static WINDOWS: ByName<WindowUDF> =
    LazyLock::new(|| by_name(all_default_window_functions(), |f| (f.name(), f.aliases())));

/// Functions by their names and their other names.
fn by_name<F>(
    functions: Vec<Arc<F>>,
    names: fn(&F) -> (&str, &[String]),
) -> HashMap<String, Arc<F>> {
    let named = functions.into_iter().flat_map(|function| {
        let (name, aliases) = names(&function);
        let names = std::iter::once(name.to_owned()).chain(aliases.iter().cloned());
        let names: Vec<_> = names.collect();
        names
            .into_iter()
            .map(move |name| (name, Arc::clone(&function)))
    });
    named.collect()
}

/// A function over the rows of a group.
pub(crate) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    AGGREGATES.get(name).cloned()
}

/// A function over the rows around one.
pub(crate) fn window(name: &str) -> Option<Arc<WindowUDF>> {
    WINDOWS.get(name).cloned()
}

/// The names of functions over several rows.
pub(crate) fn names_over_rows() -> impl Iterator<Item = &'static str> {
    let names = AGGREGATES.keys().chain(WINDOWS.keys());
    names.map(String::as_str)
}

/// What that name stands for, in lower case.
pub(crate) fn called(name: &str) -> Called {
    match SCALAR.get(name) {
        Some(function) if function.signature().volatility != Volatility::Immutable => {
            Called::Changing
        }
        Some(function) if ALLOWED.contains(&function.name()) => {
            Called::Allowed(Arc::clone(function))
        }
        None if AGGREGATES.contains_key(name) || WINDOWS.contains_key(name) => Called::Rows,
        Some(_) => Called::Refused,
        None => Called::Unknown,
    }
}

/// Every name by which a function may be called, for what was probably meant.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let allowed = |function: &Arc<ScalarUDF>| ALLOWED.contains(&function.name());
    let found = SCALAR.iter().filter(move |(_, function)| allowed(function));
    found.map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_there_and_hangs_on_its_arguments_alone() {
        for name in ALLOWED {
            assert!(matches!(called(name), Called::Allowed(_)), "{name}");
        }
    }

    #[test]
    fn the_manual_lists_all_that_is_allowed() {
        let manual = include_str!("../../../../docs/sql.md");
        for name in ALLOWED {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn what_differs_from_run_to_run_is_not_allowed() {
        for name in ["now", "random", "uuid", "current_date", "current_time"] {
            assert!(matches!(called(name), Called::Changing), "{name}");
        }
        for name in ["version", "arrow_cast", "repeat", "lpad"] {
            assert!(matches!(called(name), Called::Refused), "{name}");
        }
        for name in ["sum", "row_number", "count"] {
            assert!(matches!(called(name), Called::Rows), "{name}");
        }
    }
}
