//! Keeps only the domain of an e-mail address; anything that is not an address becomes null.
use glovebox_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct EmailDomain {}

impl Masker for EmailDomain {
    type Config = Self;
    const ABOUT: About = About::new("email-domain", "1.0.0", "Keeps an address's domain.");

    fn open(config: Self, _masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        Ok(config)
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = column.text() else {
            return Action::Nullify(Target::Cells);
        };
        let domains = text.iter().map(|cell| Some(cell?.rsplit_once('@')?.1));
        Action::Replace(NewColumn::text(domains))
    }
}

export!(masker EmailDomain);
