//! A release as it is written down: its levels, and how many members each class had when it was released
//! last. Classes stand there by a keyed digest: no value does.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::members::Members;

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) series: u32,
    /// What tells the quasi-identifiers and their levels from others.
    pub(crate) levels: String,
    pub(crate) node: Vec<usize>,
    /// Tells the key under which classes are called from others.
    pub(crate) key: u16,
    /// In which way they are called.
    #[serde(default)]
    pub(crate) calls: Calls,
    /// Each class that was ever released with its members when it was last; none if somebody has changed it.
    #[serde(serialize_with = "packed", deserialize_with = "unpacked")]
    pub(crate) classes: Option<Members>,
}

/// In which way classes are called. A series goes on as it began: in another way every class would seem to be new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Calls {
    /// By a digest of the names of all its groups; as all were before there was another way.
    #[default]
    Whole,
    /// By the numbers of its groups, permuted.
    Permuted,
}

/// What is not read as members again.
const CHANGED: &str = "?";

fn packed<S: Serializer>(classes: &Option<Members>, to: S) -> Result<S::Ok, S::Error> {
    match classes {
        // Piece by piece: there may be millions of them.
        Some(members) => to.collect_str(&members.text()),
        None => to.serialize_str(CHANGED),
    }
}

fn unpacked<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Members>, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = Option<Members>;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str("classes with their members")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Members::from_text(text))
        }
    }
    from.deserialize_str(Text)
}

#[cfg(test)]
mod tests {
    use super::super::members::{DIGEST, Name};
    use super::*;

    #[test]
    fn members_come_back_and_what_is_cut_does_not() {
        let listed = vec![
            (Name::from([2; DIGEST]), u64::MAX),
            (Name::from([1; DIGEST]), 5),
        ];
        let record = Record {
            series: 1,
            levels: "levels".to_owned(),
            node: vec![1, 0],
            key: 7,
            calls: Calls::Permuted,
            classes: Some(Members::of(&listed)),
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        let before = text.replace(r#""calls":"permuted","#, "");
        let before: Record = serde_json::from_str(&before).unwrap();
        assert_eq!(before.calls, Calls::Whole, "as it was always called");
        let classes = "AQEBAQEBAQEBAQEBAAAAAAAAAAUCAgICAgICAgICAgL//////////w";
        assert!(text.contains(classes), "as it was always written: {text}");
        let turned = "AgICAgICAgICAgIC//////////8BAQEBAQEBAQEBAQEAAAAAAAAABQ";
        for cut in [&classes[1..], turned, "?"] {
            let cut: Record = serde_json::from_str(&text.replace(classes, cut)).unwrap();
            assert_eq!(cut.classes, None);
            let again = serde_json::to_string(&cut).unwrap();
            assert_eq!(
                serde_json::from_str::<Record>(&again).unwrap().classes,
                None
            );
        }
    }
}
