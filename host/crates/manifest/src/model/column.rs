//! Columns, what is personal about them, and who lets them out.

use std::fmt;

use chrono::NaiveDate;
use glovebox_core::{DataType, Field, ReadFrom};

use crate::declare::{Words, words};
use crate::load::formats::FormatKeys;
use crate::span::Spanned;

/// A column that a source yields or a transformer adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Spanned<String>,
    /// Its type.
    pub data_type: Spanned<DataType>,
    /// Whether it holds personal data; none where the manifest does not say.
    pub personal: Option<Spanned<bool>>,
    /// What it holds.
    pub kind: Option<Spanned<PersonalKind>>,
    /// Who lets it out unmasked, why and until when.
    pub release: Option<Spanned<Release>>,
    /// Where the source has it; none is under its own name.
    pub from: Option<Spanned<ReadFrom>>,
    /// How its text is spelled, where it is otherwise than the source says.
    pub formats: Option<Box<FormatKeys>>,
}

impl Column {
    /// A column of which no more is known.
    pub(crate) fn new(name: Spanned<String>, data_type: Option<Spanned<DataType>>) -> Self {
        let unknown = || Spanned::new(DataType::Text, name.span.clone());
        Column {
            data_type: data_type.unwrap_or_else(unknown),
            name,
            personal: None,
            kind: None,
            release: None,
            from: None,
            formats: None,
        }
    }

    /// Whether it was declared personal.
    pub fn is_personal(&self) -> bool {
        self.personal.as_ref().is_some_and(|p| p.value)
    }

    /// The column as a field of a schema.
    pub fn to_field(&self) -> Field {
        Field {
            personal: self.is_personal(),
            from: self.from.as_ref().map(|f| f.value.clone()),
            ..Field::new(self.name.as_str(), self.data_type.value)
        }
    }
}

/// Lets a personal column out without a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Why it may leave unmasked.
    pub reason: Spanned<String>,
    /// Who is responsible for it.
    pub owner: Spanned<String>,
    /// The last day on which it may.
    pub until: Spanned<NaiveDate>,
}

words! {
    /// What a personal column holds.
    pub enum PersonalKind {
        /// A social security number of the USA.
        UsSsn = "us-ssn",
        /// A telephone number.
        Phone = "phone",
        /// A date of birth.
        BirthDate = "birth-date",
        /// A postal code of five digits.
        Postcode = "postcode",
        /// An IPv4 address.
        Ipv4 = "ipv4",
        /// A payment card's number.
        Card = "card",
    }
}

impl fmt::Display for PersonalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = PersonalKind::ALL.iter().find(|(_, kind, _)| kind == self);
        f.write_str(word.map_or("", |(word, ..)| *word))
    }
}
