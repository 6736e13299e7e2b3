//! A masker that keeps nothing of an e-mail address but its domain.
use glovebox_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EmailDomain {
    /// What a text becomes that is no address.
    otherwise: String,
}

impl Masker for EmailDomain {
    type Config = Self;
    const ABOUT: About = About::new("email-domain", "1.0.0", "Keeps the domain of an address.");

    fn open(config: Self, masks: &[Field], _: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text", |data_type| data_type == DataType::Text)?;
        Ok(config)
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = column.text() else {
            return Action::Nullify(Target::Cells);
        };
        let domains = text.iter().map(|cell| match cell?.rsplit_once('@') {
            Some((_, domain)) => Some(domain),
            None => Some(self.otherwise.as_str()),
        });
        Action::Replace(NewColumn::text(domains))
    }
}

export!(masker EmailDomain);
