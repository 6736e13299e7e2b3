//! Maskers: the trait, the actions that it may return, and the glue to the contract. The trait has
//! no way to answer for columns outside the grant.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::exports::glovebox::plugin::{masker, plugin};
use crate::bindings::glovebox::plugin::columns;
use crate::{About, Batch, Column, ConfigError, DataType, Field, NewColumn, RowMask, config};

/// Says how the cells of the columns in the step's `masks` grant are masked.
pub trait Masker: Sized + 'static {
    /// The step's `with:` block. Derive `Deserialize` and `JsonSchema`, with
    /// `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`.
    type Config: DeserializeOwned + JsonSchema;

    /// The plugin's name, version and manual.
    const ABOUT: About;

    /// Makes a masker of a step, before it has seen a row. `masks` are the fields that it will be
    /// asked to mask; `fields` are all granted fields, `masks` among them, in manifest order.
    ///
    /// # Errors
    /// When options contradict each other or do not suit the types of the fields.
    fn open(config: Self::Config, masks: &[Field], fields: &[Field]) -> Result<Self, ConfigError>;

    /// The field after masking: its type may change, its name may not. The same field, unless a
    /// masker says otherwise; one that nullifies cells must say that the field is nullable.
    fn field(&self, masked: &Field) -> Field {
        masked.clone()
    }

    /// Which cells may be found whole in their masks; none, unless a masker says otherwise. The
    /// host's leak guard rejects the row of every other one, and an operator has to grant more than
    /// [`Kept::Nothing`] and [`Kept::Constant`] in the step's `keeps:`.
    fn keeps(&self, _masked: &Field) -> Kept {
        Kept::Nothing
    }

    /// Masks one column of the `masks` grant; called for each of them with every batch. Other
    /// granted columns are at hand through [`Column::batch`].
    fn mask(&self, column: &Column<'_>) -> Action;
}

/// Which cells of a column may be found whole in their masks, in any case and with any separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// None: of each cell something is masked.
    Nothing,
    /// None; cells become this text, of at most 1,024 bytes.
    Constant(String),
    /// Those with at most that many letters and digits.
    Characters(u32),
    /// Any: a coarser value that may be the cell's own, text in which nothing was found.
    Cells,
}

/// What is to happen to the cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The plugin computed the column anew.
    Replace(NewColumn),
    /// The host computes the cells with a key that the plugin never sees.
    Keyed(Keyed),
    /// The host empties the cells: they become null. It refuses spans here.
    Nullify(Target),
}

impl Action {
    /// Has the host compute all cells of the column, with the key of that name in the step's `keys:`
    /// block.
    #[must_use]
    pub fn keyed(method: Method, key: &str) -> Self {
        Self::Keyed(Keyed {
            method,
            key: key.to_owned(),
            target: Target::Cells,
        })
    }
}

/// A keyed method, the name of its key, and the cells to apply it to.
#[derive(Clone, Debug, PartialEq)]
pub struct Keyed {
    /// How the host computes the new cell.
    pub method: Method,
    /// The name of a key in the step's `keys:` block.
    pub key: String,
    /// The cells that are meant.
    pub target: Target,
}

/// A keyed method, computed by the host. HMAC and PBKDF2 answer with 32 bytes as URL-safe base64 with
/// padding: text of 44 characters. All but [`Method::Shift`] and [`Method::Ff1`] give text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// HMAC-SHA-256 under the key: the fast pseudonym.
    HmacSha256,
    /// PBKDF2-HMAC-SHA-256 with the key as salt: a slow pseudonym, for cells that can be guessed.
    Pbkdf2Sha256 {
        /// The number of iterations, each of which makes guessing that much dearer.
        iterations: u32,
    },
    /// AES-SIV: a pseudonym that the key's owner can reverse.
    AesSiv,
    /// FF1 of NIST SP 800-38G, reversible by the key's owner: text keeps its form, int64 its number
    /// of digits.
    Ff1(Form),
    /// A Fernet token, another one each time, reversible by the key's owner.
    Fernet,
    /// Encryption to the public key that is the step's key; only the private key undoes it.
    Seal,
    /// A token, the same one for the same cell, which two officers can undo together.
    Token,
    /// A value that is made up of pieces, the same one for the same cell.
    Pick(Vec<Piece>),
    /// Dates and timestamps, moved by at least one day; stays of their type.
    Shift {
        /// The index among all granted fields of the entity: what is equal there is moved alike.
        entity: usize,
        /// The most days, either way.
        days: u32,
    },
}

impl Method {
    /// A field after all its cells were computed by this method: nullable, and of the type that the
    /// method gives.
    #[must_use]
    pub fn field(&self, masked: &Field) -> Field {
        let data_type = match self {
            Self::Ff1(_) | Self::Shift { .. } => masked.data_type,
            _ => DataType::Text,
        };
        Field {
            data_type,
            nullable: true,
            ..masked.clone()
        }
    }
}

/// Text of which the characters of an alphabet are encrypted, and others stay where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The characters, each once, in the order that gives them their numbers.
    pub alphabet: String,
    /// Characters of the alphabet that stay at the beginning.
    pub keep_first: u32,
    /// Those that stay at the end.
    pub keep_last: u32,
    /// Whether the last digit is a check digit by Luhn's formula, and stays right.
    pub luhn: bool,
}

/// A piece of a value that is made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This text, of at most 1,024 bytes.
    Text(String),
    /// One line of this text, of at most 1 MiB.
    Choice(String),
    /// So many decimal digits, at most 64.
    Digits(u32),
    /// The check digit, by Luhn's formula, of all digits before it.
    Luhn,
}

/// Which cells of a column are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All of them.
    Cells,
    /// Those of some rows.
    Rows(RowMask),
    /// Parts of text cells.
    Spans(Spans),
}

/// Parts of text cells as byte ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    rows: Vec<u32>,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Spans {
    /// No spans yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the bytes `range` of the cell of a row. Spans come in the order of rows, then of
    /// starts, do not overlap, and begin and end between characters; the host refuses others. A
    /// row or place past 4 GiB cannot be said and is not added.
    pub fn push(&mut self, row: usize, range: std::ops::Range<usize>) {
        let span = (
            u32::try_from(row),
            u32::try_from(range.start),
            u32::try_from(range.end),
        );
        if let (Ok(row), Ok(start), Ok(end)) = span {
            self.rows.push(row);
            self.starts.push(start);
            self.ends.push(end);
        }
    }

    /// The spans as (row, first byte, byte after the last).
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        let ends = self.starts.iter().zip(&self.ends);
        self.rows
            .iter()
            .zip(ends)
            .map(|(row, (start, end))| (*row, *start, *end))
    }
}

/// A masker that was opened, with the fields of its step.
#[doc(hidden)]
pub struct OpenMasker<T> {
    plugin: T,
    fields: Vec<Field>,
    masks: Vec<u32>,
}

impl<T: Masker> OpenMasker<T> {
    /// As the contract's `open`.
    pub fn open(config: &str, fields: Vec<Field>, masks: Vec<u32>) -> Result<Self, ConfigError> {
        let masked: Option<Vec<Field>> = masks
            .iter()
            .map(|index| fields.get(*index as usize).cloned())
            .collect();
        let masked = masked.ok_or_else(|| {
            ConfigError::new("", "the host masks a column that it does not grant")
        })?;
        let plugin = T::open(config::parse(config)?, &masked, &fields)?;
        Ok(Self {
            plugin,
            fields,
            masks,
        })
    }

    /// As the contract's `fields`.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = self.fields.clone();
        for index in &self.masks {
            if let Some(field) = fields.get_mut(*index as usize) {
                *field = self.plugin.field(field);
            }
        }
        fields
    }

    /// As the contract's `keeps`.
    pub fn keeps(&self) -> Vec<Kept> {
        let masked = self.masks.iter();
        masked
            .filter_map(|index| self.fields.get(*index as usize))
            .map(|field| self.plugin.keeps(field))
            .collect()
    }

    /// As the contract's `apply`.
    pub fn apply(&self, batch: &columns::Batch) -> Vec<(u32, Action)> {
        let batch = Batch::new(&self.fields, batch);
        let column = |index: &u32| Some((*index, batch.column(*index as usize)?));
        let columns = self.masks.iter().filter_map(column);
        columns
            .map(|(index, column)| (index, self.plugin.mask(&column)))
            .collect()
    }
}

impl<T: Masker> plugin::Guest for OpenMasker<T> {
    fn describe() -> plugin::About {
        T::ABOUT.describe::<T::Config>()
    }
}

impl<T: Masker> masker::Guest for OpenMasker<T> {
    type Mask = Self;
}

impl<T: Masker> masker::GuestMask for OpenMasker<T> {
    fn open(
        config: String,
        fields: Vec<Field>,
        masks: Vec<u32>,
    ) -> Result<masker::Mask, plugin::ConfigError> {
        Ok(masker::Mask::new(Self::open(&config, fields, masks)?))
    }

    fn fields(&self) -> Vec<Field> {
        Self::fields(self)
    }

    fn keeps(&self) -> Vec<masker::Kept> {
        Self::keeps(self).into_iter().map(Into::into).collect()
    }

    fn apply(&self, batch: columns::Batch) -> Vec<masker::Masked> {
        let masked = Self::apply(self, &batch).into_iter();
        masked
            .map(|(column, action)| masker::Masked {
                column,
                action: action.into(),
            })
            .collect()
    }
}

impl From<Action> for masker::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Replace(column) => Self::Replace(column.into_inner()),
            Action::Keyed(Keyed {
                method,
                key,
                target,
            }) => Self::Keyed(masker::Keyed {
                method: method.into(),
                key,
                target: target.into(),
            }),
            Action::Nullify(target) => Self::Nullify(target.into()),
        }
    }
}

impl From<Kept> for masker::Kept {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Nothing => Self::Nothing,
            Kept::Constant(text) => Self::Constant(text),
            Kept::Characters(most) => Self::Characters(most),
            Kept::Cells => Self::Cells,
        }
    }
}

impl From<Method> for masker::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::HmacSha256 => Self::HmacSha256,
            Method::Pbkdf2Sha256 { iterations } => Self::Pbkdf2Sha256(iterations),
            Method::AesSiv => Self::AesSiv,
            Method::Ff1(form) => Self::Ff1(masker::Form {
                alphabet: form.alphabet,
                keep_first: form.keep_first,
                keep_last: form.keep_last,
                luhn: form.luhn,
            }),
            Method::Fernet => Self::Fernet,
            Method::Seal => Self::Seal,
            Method::Token => Self::Token,
            Method::Pick(pieces) => Self::Pick(pieces.into_iter().map(Into::into).collect()),
            Method::Shift { entity, days } => Self::Shift(masker::Shift {
                // The host refuses an index that no field has.
                entity: u32::try_from(entity).unwrap_or(u32::MAX),
                days,
            }),
        }
    }
}

impl From<Piece> for masker::Piece {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text),
            Piece::Choice(lines) => Self::Choice(lines),
            Piece::Digits(digits) => Self::Digits(digits),
            Piece::Luhn => Self::Luhn,
        }
    }
}

impl From<Target> for masker::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::Cells => Self::Cells,
            Target::Rows(rows) => Self::Rows(rows.into_bytes()),
            Target::Spans(Spans { rows, starts, ends }) => {
                Self::Spans(masker::Spans { rows, starts, ends })
            }
        }
    }
}
