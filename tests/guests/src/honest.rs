//! Three plugins that behave. A guest implements one of the traits and overrides the function in which
//! it attacks; a guest that needs state keeps it in a static.

use std::marker::PhantomData;

use crate::bindings::exports::glovebox::plugin::{masker, plugin, transformer, validator};
use crate::{
    About, Action, Batch, Column, ConfigError, DataType, Field, Finding, Kept, Masked, Rule,
    Transformed, Values, text, variable,
};

/// What `open` was given.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The step's `with:` block, as JSON.
    pub config: String,
    /// The granted fields.
    pub fields: Vec<Field>,
    /// Indices of those that a masker may mask.
    pub masks: Vec<u32>,
    /// What a transformer is to add.
    pub adds: Vec<Field>,
}

impl Grant {
    /// Whether the `with:` block holds this string: the variant of the act.
    pub fn says(&self, variant: &str) -> bool {
        self.config.contains(&format!("\"{variant}\""))
    }
}

fn about() -> About {
    About {
        name: "guest".into(),
        version: "0.1.0".into(),
        summary: "a guest of the tests".into(),
        documentation: String::new(),
        config_schema: "{}".into(),
    }
}

/// `rows` cells of this type, none null.
pub fn column(data_type: &DataType, rows: u32) -> Column {
    let n = rows as usize;
    let values = match data_type {
        DataType::Boolean => Values::Boolean(vec![0; n.div_ceil(8)]),
        DataType::Int64 => Values::Int64(vec![0; n]),
        DataType::Float64 => Values::Float64(vec![0.0; n]),
        DataType::Decimal(_) => Values::Decimal(vec![0; 2 * n]),
        DataType::Text => Values::Text(variable(vec!["honest"; n])),
        DataType::Bytes => Values::Bytes(variable(vec!["honest"; n])),
        DataType::Date => Values::Date(vec![0; n]),
        DataType::Timestamp => Values::Timestamp(vec![0; n]),
    };
    Column {
        values,
        validity: None,
    }
}

/// One column replaced.
pub fn replaced(column: u32, by: Column) -> Masked {
    Masked {
        column,
        action: Action::Replace(by),
    }
}

/// A validator that finds nothing.
pub trait Validator: 'static {
    /// What it says of itself.
    fn describe() -> About {
        about()
    }
    /// Takes any configuration.
    fn open(_grant: &Grant) -> Result<(), ConfigError> {
        Ok(())
    }
    /// One rule.
    fn rules(_grant: &Grant) -> Vec<Rule> {
        vec![Rule {
            id: "guest".into(),
            column: None,
            message: "the guest does not like this row".into(),
        }]
    }
    /// Finds nothing.
    fn apply(_grant: &Grant, _batch: Batch) -> Vec<Finding> {
        Vec::new()
    }
    /// Does nothing when its resource is dropped.
    fn dropped() {}
}

/// A masker that replaces every cell that it may by `honest`.
pub trait Masker: 'static {
    /// What it says of itself.
    fn describe() -> About {
        about()
    }
    /// Takes any configuration.
    fn open(_grant: &Grant) -> Result<(), ConfigError> {
        Ok(())
    }
    /// The fields as they were.
    fn fields(grant: &Grant) -> Vec<Field> {
        grant.fields.clone()
    }
    /// Keeps nothing.
    fn keeps(grant: &Grant) -> Vec<Kept> {
        grant.masks.iter().map(|_| Kept::Nothing).collect()
    }
    /// Replaces every column of the grant, which must be text.
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let rows = batch.rows as usize;
        let honest = |&m: &u32| replaced(m, text(vec!["honest"; rows]));
        grant.masks.iter().map(honest).collect()
    }
}

/// A transformer that adds what it is granted.
pub trait Transformer: 'static {
    /// What it says of itself.
    fn describe() -> About {
        about()
    }
    /// Takes any configuration.
    fn open(_grant: &Grant) -> Result<(), ConfigError> {
        Ok(())
    }
    /// The columns as granted.
    fn fields(grant: &Grant) -> Vec<Field> {
        grant.adds.clone()
    }
    /// Adds them, and keeps all rows.
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let honest = |f: &Field| column(&f.data_type, batch.rows);
        Transformed {
            columns: grant.adds.iter().map(honest).collect(),
            keep: None,
        }
    }
}

macro_rules! opened {
    ($open:ident, $trait:ident, $interface:ident, $resource:ident) => {
        /// A guest as the contract knows it, opened.
        pub struct $open<A: $trait> {
            grant: Grant,
            act: PhantomData<A>,
        }

        impl<A: $trait> $open<A> {
            fn opened(grant: Grant) -> Result<$interface::$resource, ConfigError> {
                A::open(&grant)?;
                let act = PhantomData;
                Ok($interface::$resource::new($open::<A> { grant, act }))
            }
        }

        impl<A: $trait> plugin::Guest for $open<A> {
            fn describe() -> About {
                A::describe()
            }
        }

        impl<A: $trait> $interface::Guest for $open<A> {
            type $resource = $open<A>;
        }
    };
}
opened!(OpenValidator, Validator, validator, Check);
opened!(OpenMasker, Masker, masker, Mask);
opened!(OpenTransformer, Transformer, transformer, Transform);

impl<A: Validator> Drop for OpenValidator<A> {
    fn drop(&mut self) {
        A::dropped();
    }
}

impl<A: Validator> validator::GuestCheck for OpenValidator<A> {
    fn open(config: String, fields: Vec<Field>) -> Result<validator::Check, ConfigError> {
        OpenValidator::<A>::opened(Grant {
            config,
            fields,
            masks: Vec::new(),
            adds: Vec::new(),
        })
    }

    fn rules(&self) -> Vec<Rule> {
        A::rules(&self.grant)
    }

    fn apply(&self, batch: Batch) -> Vec<Finding> {
        A::apply(&self.grant, batch)
    }
}

impl<A: Masker> masker::GuestMask for OpenMasker<A> {
    fn open(
        config: String,
        fields: Vec<Field>,
        masks: Vec<u32>,
    ) -> Result<masker::Mask, ConfigError> {
        OpenMasker::<A>::opened(Grant {
            config,
            fields,
            masks,
            adds: Vec::new(),
        })
    }

    fn fields(&self) -> Vec<Field> {
        A::fields(&self.grant)
    }

    fn keeps(&self) -> Vec<Kept> {
        A::keeps(&self.grant)
    }

    fn apply(&self, batch: Batch) -> Vec<Masked> {
        A::apply(&self.grant, batch)
    }
}

impl<A: Transformer> transformer::GuestTransform for OpenTransformer<A> {
    fn open(
        config: String,
        fields: Vec<Field>,
        adds: Vec<Field>,
    ) -> Result<transformer::Transform, ConfigError> {
        OpenTransformer::<A>::opened(Grant {
            config,
            fields,
            masks: Vec::new(),
            adds,
        })
    }

    fn fields(&self) -> Vec<Field> {
        A::fields(&self.grant)
    }

    fn apply(&self, batch: Batch) -> Transformed {
        A::apply(&self.grant, batch)
    }
}
