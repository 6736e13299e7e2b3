//! Transformers: the trait, what it returns, and the glue to the contract. A transformer does not
//! pass on rows itself: it says which to keep, and the host keeps them.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::exports::glovebox::plugin::{plugin, transformer};
use crate::bindings::glovebox::plugin::columns;
use crate::{About, Batch, ConfigError, Field, NewColumn, RowMask, config};

/// Computes the columns in the step's `adds` grant, and says which rows to keep.
pub trait Transformer: Sized + 'static {
    /// The step's `with:` block. Derive `Deserialize` and `JsonSchema`, with
    /// `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`.
    type Config: DeserializeOwned + JsonSchema;

    /// The plugin's name, version and manual.
    const ABOUT: About;

    /// Makes a transformer of a step, before it has seen a row. `fields` are the granted fields,
    /// `adds` the columns that it is to add or replace, both in manifest order.
    ///
    /// # Errors
    /// When options contradict each other or do not suit the types of the fields.
    fn open(config: Self::Config, fields: &[Field], adds: &[Field]) -> Result<Self, ConfigError>;

    /// The fields of the columns that [`apply`](Self::apply) answers with, in its order: those of
    /// `adds`, perhaps stricter about nulls. Just those, unless a transformer says otherwise.
    fn fields(&self, adds: &[Field]) -> Vec<Field> {
        adds.to_vec()
    }

    /// Transforms a batch.
    fn apply(&self, batch: &Batch<'_>) -> Transformed;
}

/// What a transformer answers with: new columns, and the rows to keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transformed {
    /// One column for each of the fields that the transformer announced, each with one cell for
    /// every row of the batch, also for those that are not kept.
    pub columns: Vec<NewColumn>,
    /// The rows to keep; `None` keeps all.
    pub keep: Option<RowMask>,
}

impl Transformed {
    /// Adds columns and keeps all rows.
    #[must_use]
    pub fn columns(columns: Vec<NewColumn>) -> Self {
        Self {
            columns,
            keep: None,
        }
    }

    /// Adds no column and keeps some rows.
    #[must_use]
    pub fn keep(rows: RowMask) -> Self {
        Self {
            columns: Vec::new(),
            keep: Some(rows),
        }
    }
}

/// A transformer that was opened, with the fields of its step.
#[doc(hidden)]
pub struct OpenTransformer<T> {
    plugin: T,
    fields: Vec<Field>,
    adds: Vec<Field>,
}

impl<T: Transformer> OpenTransformer<T> {
    /// As the contract's `open`.
    pub fn open(config: &str, fields: Vec<Field>, adds: Vec<Field>) -> Result<Self, ConfigError> {
        let plugin = T::open(config::parse(config)?, &fields, &adds)?;
        Ok(Self {
            plugin,
            fields,
            adds,
        })
    }

    /// As the contract's `fields`.
    pub fn fields(&self) -> Vec<Field> {
        self.plugin.fields(&self.adds)
    }

    /// As the contract's `apply`.
    pub fn apply(&self, batch: &columns::Batch) -> Transformed {
        self.plugin.apply(&Batch::new(&self.fields, batch))
    }
}

impl<T: Transformer> plugin::Guest for OpenTransformer<T> {
    fn describe() -> plugin::About {
        T::ABOUT.describe::<T::Config>()
    }
}

impl<T: Transformer> transformer::Guest for OpenTransformer<T> {
    type Transform = Self;
}

impl<T: Transformer> transformer::GuestTransform for OpenTransformer<T> {
    fn open(
        config: String,
        fields: Vec<Field>,
        adds: Vec<Field>,
    ) -> Result<transformer::Transform, plugin::ConfigError> {
        Ok(transformer::Transform::new(Self::open(
            &config, fields, adds,
        )?))
    }

    fn fields(&self) -> Vec<Field> {
        Self::fields(self)
    }

    fn apply(&self, batch: columns::Batch) -> transformer::Transformed {
        let Transformed { columns, keep } = Self::apply(self, &batch);
        transformer::Transformed {
            columns: columns.into_iter().map(NewColumn::into_inner).collect(),
            keep: keep.map(RowMask::into_bytes),
        }
    }
}
