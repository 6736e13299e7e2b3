//! Values that are made up of pieces, by the key and the cell: the same cell, the same value.

use std::num::NonZeroU64;
use std::ops::Range;

use glovebox_core::Piece;

use crate::methods::{Choice, Draws};

/// The pieces of a value, ready to be chosen.
pub(crate) struct Made {
    choice: Choice,
    pieces: Vec<Ready>,
}

enum Ready {
    Text(Vec<u8>),
    /// A text, and where its lines are.
    Choice(Vec<u8>, Vec<Range<usize>>, NonZeroU64),
    Digits(u32),
    Luhn,
}

impl Made {
    pub(crate) fn new(key: &[u8], domain: &str, pieces: &[Piece]) -> Result<Self, String> {
        let pieces = pieces.iter().map(|piece| {
            Ok(match piece {
                Piece::Text(text) => Ready::Text(text.as_bytes().to_vec()),
                Piece::Digits(digits) => Ready::Digits(*digits),
                Piece::Luhn => Ready::Luhn,
                Piece::Choice(text) => {
                    let lines = lines(text);
                    let count = NonZeroU64::new(lines.len() as u64);
                    let count = count.ok_or("the plugin gives an empty list to choose from")?;
                    Ready::Choice(text.as_bytes().to_vec(), lines, count)
                }
            })
        });
        let pieces: Vec<Ready> = pieces.collect::<Result<_, String>>()?;
        let chosen = |piece: &Ready| matches!(piece, Ready::Choice(..) | Ready::Digits(1..));
        if !pieces.iter().any(chosen) {
            return Err("the plugin makes values up without anything to choose".into());
        }
        let choice = Choice::new(key, domain).map_err(|error| error.to_string())?;
        Ok(Made { choice, pieces })
    }

    /// Writes the value that stands for a cell.
    pub(crate) fn write(&self, cell: &[u8], out: &mut Vec<u8>) {
        let mut draws = self.choice.draws(cell);
        let start = out.len();
        for piece in &self.pieces {
            match piece {
                Ready::Text(text) => out.extend_from_slice(text),
                Ready::Choice(text, lines, count) => {
                    let place = usize::try_from(draws.below(*count)).unwrap_or_default();
                    let line = lines.get(place).and_then(|line| text.get(line.clone()));
                    out.extend_from_slice(line.unwrap_or_default());
                }
                Ready::Digits(count) => digits(&mut draws, *count, out),
                Ready::Luhn => {
                    let check = luhn(out.get(start..).unwrap_or_default());
                    out.push(check);
                }
            }
        }
    }
}

/// The lines of a text that are not empty.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let length = line.trim_end_matches(['\n', '\r']).len();
        if length > 0 {
            lines.push(start..start + length);
        }
        start += line.len();
    }
    lines
}

/// Digits of a draw, as many as one has.
const DRAWN: u32 = 18;

fn digits(draws: &mut Draws<'_>, mut count: u32, out: &mut Vec<u8>) {
    while count > 0 {
        let some = count.min(DRAWN);
        let Some(below) = NonZeroU64::new(10_u64.pow(some)) else {
            return;
        };
        let mut drawn = draws.below(below);
        let start = out.len();
        for _ in 0..some {
            out.push(b'0' + (drawn % 10) as u8);
            drawn /= 10;
        }
        if let Some(drawn) = out.get_mut(start..) {
            drawn.reverse();
        }
        count -= some;
    }
}

/// The check digit, by Luhn's formula (ISO/IEC 7812-1), of the digits in a text.
fn luhn(text: &[u8]) -> u8 {
    let digits = text.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum = digits.enumerate().fold(0, |sum: u32, (place, byte)| {
        let digit = u32::from(byte - b'0');
        sum + match place % 2 {
            0 if digit > 4 => 2 * digit - 9,
            0 => 2 * digit,
            _ => digit,
        }
    });
    b'0' + ((10 - sum % 10) % 10) as u8
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn made(domain: &str, pieces: &[Piece]) -> Made {
        Made::new(&[7; 32], domain, pieces).unwrap()
    }

    fn value(made: &Made, cell: &str) -> String {
        let mut out = b"before ".to_vec();
        made.write(cell.as_bytes(), &mut out);
        let text = String::from_utf8(out).unwrap();
        text.strip_prefix("before ").unwrap().to_owned()
    }

    #[test]
    fn a_cell_gives_the_same_value_in_its_domain_and_others_elsewhere() {
        let names = Piece::Choice("Ada\nGrace\r\n\nKatherine".into());
        let pieces = [names, Piece::Text(" ".into()), Piece::Digits(40)];
        let (here, there) = (made("name", &pieces), made("other", &pieces));
        let all: Vec<_> = (0..200).map(|i| value(&here, &i.to_string())).collect();
        let again: Vec<_> = (0..200).map(|i| value(&here, &i.to_string())).collect();
        assert_eq!(all, again);
        assert_ne!(all[0], value(&there, "0"));
        let names: HashSet<_> = all.iter().map(|v| v.split(' ').next().unwrap()).collect();
        assert_eq!(names, HashSet::from(["Ada", "Grace", "Katherine"]));
        let numbers: HashSet<_> = all.iter().map(|v| v.split(' ').nth(1).unwrap()).collect();
        assert_eq!(numbers.len(), 200);
        assert!(numbers.iter().all(|n| n.len() == 40));
    }

    /// Test numbers of card schemes, and IMEI's example in 3GPP TS 23.003.
    #[test]
    fn check_digits_are_those_of_published_numbers() {
        for number in ["4111111111111111", "378282246310005", "490154203237518"] {
            let (body, check) = number.split_at(number.len() - 1);
            assert_eq!(luhn(body.as_bytes()), check.as_bytes()[0], "{number}");
            let spaced = body.replace('1', "1 ");
            assert_eq!(luhn(spaced.as_bytes()), check.as_bytes()[0], "{number}");
        }
    }

    #[test]
    fn what_leaves_nothing_to_choose_is_refused() {
        for pieces in [
            vec![],
            vec![Piece::Text("same for all".into())],
            vec![Piece::Choice("\n\n".into())],
            vec![Piece::Digits(0), Piece::Luhn],
        ] {
            assert!(Made::new(&[7; 32], "d", &pieces).is_err(), "{pieces:?}");
        }
    }
}
