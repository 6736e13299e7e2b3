//! Which name was probably meant.

/// The candidate that was probably meant, if one is near enough.
pub fn closest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let fold = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let name = fold(name);
    // Long texts are no slips of a finger, and comparing them is slow.
    if name.len() > 100 {
        return None;
    }
    let length = name.chars().count();
    candidates
        .filter(|c| c.len() <= 100)
        .map(|c| (strsim::damerau_levenshtein(&name, &fold(c)), c))
        .filter(|(distance, c)| {
            let longer = length.max(c.chars().count());
            *distance <= longer.div_ceil(3).min(3) && *distance < longer.min(length)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_near() {
        let keys = ["name", "source", "columns", "credentials", "steps", "sink"];
        let near = |n: &str| closest(n, keys.iter().copied());
        assert_eq!(near("colunms"), Some("columns"));
        assert_eq!(near("Column"), Some("columns"));
        assert_eq!(near("setps"), Some("steps"));
        assert_eq!(near("sinks"), Some("sink"));
        assert_eq!(near("zebra"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near(&"n".repeat(5000)), None);
        assert_eq!(
            closest("max_field", ["max-field"].into_iter()),
            Some("max-field")
        );
    }
}
