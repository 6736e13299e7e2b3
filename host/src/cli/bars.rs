//! Bars of a chart in a terminal.

/// The widest bar, in places.
const WIDEST: usize = 40;

/// A bar as long as its share of the longest; of anything at least the thinnest.
pub(super) fn bar(of: f64, most: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if !(of > 0.0 && most > 0.0) {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most the widest bar"
    )]
    let eighths = ((of / most).min(1.0) * (WIDEST * 8) as f64).ceil() as usize;
    "█".repeat(eighths / 8) + PARTS.get(eighths % 8).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(1.0, 1.0).chars().count(), 40);
        assert_eq!(bar(1.0, 2.0), "█".repeat(20));
        assert_eq!(bar(1.0, 1e9), "▏");
        assert_eq!(bar(0.0, 1.0), "");
        assert_eq!(bar(f64::NAN, 1.0), "");
    }
}
