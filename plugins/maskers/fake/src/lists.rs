//! What values are chosen from: common names, towns that do not exist, words that firms are called by.

use crate::Locale;

/// The lists of a locale, an entry a line.
pub(crate) struct Lists {
    pub(crate) first: &'static str,
    /// In Latin letters.
    pub(crate) first_latin: &'static str,
    pub(crate) last: &'static str,
    /// In Latin letters.
    pub(crate) last_latin: &'static str,
    pub(crate) street: &'static str,
    pub(crate) city: &'static str,
    pub(crate) company: &'static str,
    /// What a firm does.
    pub(crate) trade: &'static str,
    /// Its legal form, behind its name.
    pub(crate) form: &'static str,
}

macro_rules! lists {
    ($locale:literal, $first_latin:literal, $last_latin:literal, $trade:literal, $form:literal) => {
        Lists {
            first: include_str!(concat!("../data/", $locale, "-first.txt")),
            first_latin: include_str!(concat!("../data/", $locale, "-", $first_latin, ".txt")),
            last: include_str!(concat!("../data/", $locale, "-last.txt")),
            last_latin: include_str!(concat!("../data/", $locale, "-", $last_latin, ".txt")),
            street: include_str!(concat!("../data/", $locale, "-street.txt")),
            city: include_str!(concat!("../data/", $locale, "-city.txt")),
            company: include_str!(concat!("../data/", $locale, "-company.txt")),
            trade: $trade,
            form: $form,
        }
    };
}

impl Lists {
    pub(crate) fn of(locale: Locale) -> Self {
        match locale {
            Locale::En => lists!(
                "en",
                "first",
                "last",
                "Analytics\nBakery\nBooks\nDesign\nFoods\nLogistics\nPartners\nStudio\nSupplies\nTrading",
                " Inc."
            ),
            Locale::De => lists!(
                "de",
                "first",
                "last",
                "Bau\nBeratung\nDruck\nHandel\nLogistik\nMedien\nMöbel\nService\nTechnik\nVerlag",
                " GmbH"
            ),
            Locale::Fr => lists!(
                "fr",
                "first",
                "last",
                "Conseil\nÉditions\nÉnergie\nImprimerie\nLogistique\nMobilier\nNégoce\nServices\nTransports\nTravaux",
                " SARL"
            ),
            Locale::Es => lists!(
                "es",
                "first",
                "last",
                "Alimentación\nComercio\nConsultores\nDiseño\nEditorial\nEnergía\nLogística\nObras\nServicios\nTransportes",
                " S.L."
            ),
            Locale::Ja => lists!(
                "ja",
                "first-latin",
                "last-latin",
                "印刷\n運輸\n企画\n建設\n工業\n産業\n商事\n食品\n製作所\n物流",
                ""
            ),
        }
    }
}

/// The lines in lower case, with nothing but the letters a to z, for addresses and logins.
pub(crate) fn plain(lines: &str) -> String {
    let mut plain = String::with_capacity(lines.len());
    for c in lines.to_lowercase().chars() {
        match c {
            'a'..='z' | '\n' => plain.push(c),
            'ä' | 'æ' => plain.push_str("ae"),
            'ö' | 'œ' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'á' | 'à' | 'â' => plain.push('a'),
            'ç' => plain.push('c'),
            'é' | 'è' | 'ê' | 'ë' => plain.push('e'),
            'í' | 'î' | 'ï' => plain.push('i'),
            'ñ' => plain.push('n'),
            'ó' | 'ô' => plain.push('o'),
            'ú' | 'ù' | 'û' => plain.push('u'),
            // Spaces, hyphens and apostrophes go.
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const LOCALES: [Locale; 5] = [Locale::En, Locale::De, Locale::Fr, Locale::Es, Locale::Ja];

    #[test]
    fn lists_have_no_entry_twice_and_none_that_is_empty() {
        for locale in LOCALES {
            let lists = Lists::of(locale);
            for list in [
                lists.first,
                lists.last,
                lists.street,
                lists.city,
                lists.company,
                lists.trade,
            ] {
                let entries: Vec<_> = list.lines().collect();
                let distinct: HashSet<_> = entries.iter().collect();
                assert_eq!(distinct.len(), entries.len(), "{locale:?}");
                assert!(entries.iter().all(|e| !e.is_empty() && e.trim() == *e));
            }
        }
    }

    #[test]
    fn every_name_has_a_plain_form_of_latin_letters() {
        for locale in LOCALES {
            let lists = Lists::of(locale);
            for list in [lists.first_latin, lists.last_latin] {
                let plain = plain(list);
                assert_eq!(plain.lines().count(), list.lines().count());
                for (name, plain) in list.lines().zip(plain.lines()) {
                    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
                    assert!(plain.len() >= letters, "{name} → {plain}");
                }
            }
        }
        assert_eq!(
            plain("Jürgen Groß\nLe Gall\nNoël"),
            "juergengross\nlegall\nnoel"
        );
    }
}
