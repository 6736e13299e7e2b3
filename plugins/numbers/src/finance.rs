//! The numbers of payment cards, American banks and securities.

use crate::digits::{base_36, digits, luhn, luhn_sum, number, weighted};

/// A payment card's number: Luhn's check digit, and the lengths that its issuer has.
pub(crate) fn card(text: &[u8]) -> bool {
    let Some(prefix) = text.get(..4).and_then(number) else {
        return false;
    };
    let lengths: &[usize] = match prefix {
        3400..=3499 | 3700..=3799 => &[15],
        4000..=4999 => &[13, 16, 19],
        2221..=2720 | 5100..=5599 => &[16],
        _ => &[12, 13, 14, 15, 16, 17, 18, 19],
    };
    lengths.contains(&text.len()) && luhn(text)
}

/// An ABA routing number: weights 3, 7, 1, and a first pair of digits that is assigned.
pub(crate) fn aba(text: &[u8]) -> bool {
    let assigned = matches!(
        text.get(..2).and_then(number),
        Some(0..=12 | 21..=32 | 61..=72 | 80)
    );
    let sum = weighted(text, [3, 7, 1, 3, 7, 1, 3, 7, 1]);
    assigned && sum.is_some_and(|sum| sum.is_multiple_of(10))
}

/// The codes that an ISIN begins with: those of ISO 3166-1 alpha-2, those of countries that are no
/// more, and those that ISO 6166 adds.
const PREFIXES: &str = "\
AD AE AF AG AI AL AM AN AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CS CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET EU \
FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN \
IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF \
MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH \
PK PL PM PN PR PS PT PW PY QA QS QT RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX \
SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XA XB XC \
XD XF XK XS YE YT ZA ZM ZW";

/// An ISIN: Luhn's check digit over digits for which letters stand as 10 to 35.
pub(crate) fn isin(text: &[u8]) -> bool {
    let Some((prefix, _)) = text.split_at_checked(2).filter(|_| text.len() == 12) else {
        return false;
    };
    let known = PREFIXES.split(' ').any(|code| code.as_bytes() == prefix);
    let check = text.get(11..).and_then(digits);
    if !known || check.is_none() || text.iter().any(|c| base_36(*c).is_none()) {
        return false;
    }
    let values = text
        .iter()
        .rev()
        .filter_map(|character| base_36(*character));
    let digits = values.flat_map(|value| {
        let tens = (value > 9).then_some(value / 10);
        [Some(value % 10), tens].into_iter().flatten()
    });
    luhn_sum(digits).is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_the_length_of_their_issuer() {
        for right in [
            "4111111111111111",
            "4222222222222",
            "378282246310005",
            "5555555555554444",
            "2223003122003222",
            "30569309025904",
            "6011111111111117",
        ] {
            assert!(card(right.as_bytes()), "{right}");
        }
        // Luhn's digit is right in all of these.
        for wrong in [
            "41111111111116",
            "55555555555557",
            "3782822463100054",
            "42",
            "18",
        ] {
            assert!(!card(wrong.as_bytes()), "{wrong}");
        }
        assert!(!card(b"4111111111111112"));
    }

    #[test]
    fn routing_numbers_and_securities_of_their_standards() {
        // ABA's own; two of the Federal Reserve's directory.
        assert!(aba(b"111000025") && aba(b"021001208") && aba(b"122105155"));
        assert!(
            !aba(b"111000026") && !aba(b"130000006"),
            "13 is assigned to nobody"
        );
        // ISO 6166's example, Apple, and one with letters throughout.
        assert!(isin(b"AU0000XVGZA3") && isin(b"US0378331005") && isin(b"GB00BYXJL758"));
        assert!(!isin(b"US0378331003") && !isin(b"ZZ0378331005") && !isin(b"US037833100K"));
    }
}
