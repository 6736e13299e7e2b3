//! The numbers of bank accounts, for the countries in SWIFT's registry, and the national check digits
//! of four of them.

use crate::digits::{digits, luhn, mod_97, mod_97_of, number, weighted};

/// How the part after country and check digits is made up in each country, in order: so many digits
/// (`n`), letters (`a`), or either (`c`). SWIFT's IBAN registry, release 101.
const COUNTRIES: &str = "\
AD:8n12c AE:19n AL:8n16c AT:16n AZ:4a20c BA:16n BE:12n BG:4a6n8c BH:4a14c BI:23n BR:23n1a1c \
BY:4c4n16c CH:5n12c CR:18n CY:8n16c CZ:20n DE:18n DJ:23n DK:14n DO:4c20n EE:16n EG:25n ES:20n \
FI:14n FK:2a12n FO:14n FR:10n11c2n GB:4a14n GE:2a16n GI:4a15c GL:14n GR:7n16c GT:24c HN:4a20n \
HR:17n HU:24n IE:4a14n IL:19n IQ:4a15n IS:22n IT:1a10n12c JO:4a4n18c KW:4a22c KZ:3n13c LB:4n20c \
LC:4a24c LI:5n12c LT:16n LU:3n13c LV:4a13c LY:21n MC:10n11c2n MD:20c ME:18n MK:3n10c2n MN:16n \
MR:23n MT:4a5n18c MU:4a19n3a NI:4a20n NL:4a10n NO:11n OM:3n16c PK:4a16c PL:24n PS:4a21c PT:21n \
QA:4a21c RO:4a16c RS:18n RU:14n15c SA:2n18c SC:4a20n3a SD:14n SE:20n SI:15n SK:20n SM:1a10n12c \
SO:19n ST:21n SV:4a20n TL:19n TN:20n TR:6n16c UA:6n19c VA:18n VG:4a16n XK:16n YE:4a4n18c";

/// An IBAN: ISO 13616, with MOD 97-10 over the text whose first four characters are moved to its end.
pub(crate) fn iban(text: &[u8]) -> bool {
    let (Some((start, account)), Some(check)) =
        (text.split_at_checked(4), text.get(2..4).and_then(number))
    else {
        return false;
    };
    let country = text.get(..2).unwrap_or_default();
    let form = (COUNTRIES
        .split(' ')
        .filter_map(|known| known.split_once(':')))
    .find_map(|(code, form)| (code.as_bytes() == country).then_some(form));
    let moved = account.iter().chain(start).copied();
    // Other check digits have the right rest as well, but nobody computes them.
    (2..=98).contains(&check)
        && form.is_some_and(|form| fits(account, form))
        && mod_97_of(moved) == Some(1)
        && national(country, account)
}

/// Whether an account's number is made up like this.
fn fits(mut account: &[u8], form: &str) -> bool {
    for part in form.split_inclusive(|c: char| c.is_ascii_alphabetic()) {
        let class: fn(&u8) -> bool = match part.as_bytes().last() {
            Some(b'n') => u8::is_ascii_digit,
            Some(b'a') => u8::is_ascii_uppercase,
            _ => |c| c.is_ascii_uppercase() || c.is_ascii_digit(),
        };
        let count = part.trim_end_matches(['n', 'a', 'c']).parse();
        let Some((these, rest)) = count.ok().and_then(|count| account.split_at_checked(count))
        else {
            return false;
        };
        if !these.iter().all(class) {
            return false;
        }
        account = rest;
    }
    account.is_empty()
}

/// Whether the check digits within an account's number are right, in countries where they are known here.
fn national(country: &[u8], account: &[u8]) -> bool {
    let split = account.split_at_checked(account.len().saturating_sub(2));
    match country {
        // The rest of ten digits modulo 97, or 97.
        b"BE" => split.is_some_and(|(ten, check)| {
            let rest = mod_97_of(ten.iter().copied()).map(|rest| if rest == 0 { 97 } else { rest });
            rest.map(u64::from) == number(check)
        }),
        b"ES" => spanish(account),
        b"ME" => mod_97(account),
        // What was the post office's bank has Luhn's digit.
        b"NO" => match account.strip_prefix(b"0000") {
            Some(seven) => luhn(seven),
            None => {
                let sum = weighted(account, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
                sum.is_some_and(|sum| sum.is_multiple_of(11))
            }
        },
        _ => true,
    }
}

/// A Spanish account's number: a check digit for bank and branch, another for the account.
fn spanish(account: &[u8]) -> bool {
    let digit = |part: Option<&[u8]>| {
        let weights = [1, 2, 4, 8, 5, 10, 9, 7, 3, 6];
        let digits = part.and_then(digits)?;
        // Eight digits have the weights of the last eight places.
        let sum: u32 = (digits.rev().zip(weights.into_iter().rev()))
            .map(|(digit, weight)| digit * weight)
            .sum();
        Some(match 11 - sum % 11 {
            11 => 0,
            10 => 1,
            check => check,
        })
    };
    let (bank, owner) = (digit(account.get(..8)), digit(account.get(10..)));
    let check = account.get(8..10).and_then(digits);
    check.is_some_and(|check| check.map(Some).eq([bank, owner]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_registry_are_right() {
        for right in [
            "AD1200012030200359100100",
            "BE68539007547034",
            "DE89370400440532013000",
            "ES9121000418450200051332",
            "FR1420041010050500013M02606",
            "GB29NWBK60161331926819",
            "LC55HEMM000100010012001200023015",
            "ME25505000012345678951",
            "MT84MALT011000012345MTLCAST001S",
            "NO9386011117947",
            "SC18SSCB11010000000000001497USD",
        ] {
            assert!(iban(right.as_bytes()), "{right}");
        }
    }

    #[test]
    fn what_differs_in_country_length_form_or_a_check_digit_is_wrong() {
        for wrong in [
            "",
            "DE89",
            "DE8937040044053201300",
            "DE90370400440532013000",
            "DE8937040044053201300O",
            "US89370400440532013000",
            // The rest is right, the check digits are those of nobody.
            "GB0129NWBK601613319268",
        ] {
            assert!(!iban(wrong.as_bytes()), "{wrong}");
        }
        assert!(!national(b"BE", b"539007547035") && !national(b"ME", b"505000012345678952"));
        assert!(!national(b"NO", b"86011117946") && !national(b"ES", b"21000418460200051332"));
    }
}
