//! Text that keeps its form: the characters of an alphabet are permuted by FF1, all others stay.
//!
//! Cells with a letter or digit that is not in the alphabet are refused, since it would stay readable,
//! and cells with a wrong check digit, since they could not be given back.
//!
//! Kept characters are part of the tweak, as SP 800-38G (appendix C) advises: two cells that differ only
//! in them have nothing else in common. Characters that merely stay in place are not, so that
//! `123-45-6789` and `123456789` still have the same digits.

use std::collections::HashMap;

use super::ff1::MIN_DOMAIN;
use super::{Ff1, ParameterError, Refusal, Way};
use crate::luhn;

/// The most signs of a cell. FF1 works with numbers as long as the cell, at a cost that grows with their square;
/// what keeps a form is short.
const MAX_SIGNS: usize = 1_000;

/// The signs that are permuted, each a numeral by its place.
#[derive(Clone, Debug)]
pub struct Alphabet {
    signs: Vec<char>,
    ascii: [Option<u16>; 128],
    others: HashMap<char, u16>,
}

impl Alphabet {
    /// The alphabet of these signs, in their order.
    ///
    /// # Errors
    /// When there are fewer than 2 or more than 65,536, or one stands twice.
    pub fn new(signs: &str) -> Result<Self, ParameterError> {
        let signs: Vec<char> = signs.chars().collect();
        if !(2..=65_536).contains(&signs.len()) {
            return Err(ParameterError::AlphabetLength);
        }
        let mut alphabet = Alphabet {
            ascii: [None; 128],
            others: HashMap::new(),
            signs: Vec::new(),
        };
        for (sign, numeral) in signs.iter().zip(0..=u16::MAX) {
            let before = match alphabet.ascii.get_mut(*sign as usize) {
                Some(place) => place.replace(numeral),
                None => alphabet.others.insert(*sign, numeral),
            };
            if before.is_some() {
                return Err(ParameterError::AlphabetTwice);
            }
        }
        alphabet.signs = signs;
        Ok(alphabet)
    }

    /// How many signs it has.
    pub fn radix(&self) -> u32 {
        self.signs.len() as u32
    }

    /// The numeral of a sign.
    pub fn numeral(&self, sign: char) -> Option<u16> {
        match self.ascii.get(sign as usize) {
            Some(numeral) => *numeral,
            None => self.others.get(&sign).copied(),
        }
    }

    /// The sign of a numeral.
    pub fn sign(&self, numeral: u16) -> Option<char> {
        self.signs.get(usize::from(numeral)).copied()
    }
}

/// What of a cell is permuted.
#[derive(Clone, Debug)]
pub struct Form {
    alphabet: Alphabet,
    keep_first: usize,
    keep_last: usize,
    luhn: bool,
}

impl Form {
    /// Permutes signs of this alphabet, but for so many of them at the start and at the end. With
    /// `luhn` the last of them all is a check digit (ISO/IEC 7812-1), and right again afterwards.
    ///
    /// # Errors
    /// When `luhn` is asked for in another alphabet than that of digits.
    pub fn new(
        alphabet: Alphabet,
        keep_first: usize,
        keep_last: usize,
        luhn: bool,
    ) -> Result<Self, ParameterError> {
        if luhn && !alphabet.signs.iter().copied().eq('0'..='9') {
            return Err(ParameterError::LuhnAlphabet);
        }
        Ok(Form {
            alphabet,
            keep_first,
            keep_last,
            luhn,
        })
    }

    /// Whether cells with so many signs of the alphabet can be masked: whether those that are not
    /// kept have a million possible values.
    pub fn takes(&self, signs: usize) -> bool {
        // The check digit follows from the others: it is one that is not free.
        let fixed = [self.keep_first, self.keep_last, usize::from(self.luhn)];
        let free = fixed.iter().try_fold(signs, |free, n| free.checked_sub(*n));
        let free = free.and_then(|free| u32::try_from(free).ok());
        let domain = free.map(|free| u128::from(self.alphabet.radix()).saturating_pow(free));
        domain.is_some_and(|domain| domain >= MIN_DOMAIN)
    }
}

/// What a cell is taken apart and put together in: used again, it is not allocated again.
#[derive(Debug, Default)]
pub struct FormBuffer {
    numerals: Vec<u16>,
    kept: Vec<u8>,
    text: String,
}

impl Drop for FormBuffer {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.numerals.zeroize();
        self.kept.zeroize();
        self.text.zeroize();
    }
}

/// A form under a key.
///
/// ```
/// use glovebox_masking::methods::{Alphabet, Form, FormBuffer, FormCipher};
///
/// let form = Form::new(Alphabet::new("0123456789").unwrap(), 0, 0, false).unwrap();
/// let cipher = FormCipher::new(&[7; 32], form).unwrap();
/// let (mut there, mut back) = (FormBuffer::default(), FormBuffer::default());
/// let masked = cipher.encrypt(b"ssn", "123-45-6789", &mut there).unwrap();
/// assert_eq!(masked.find('-'), Some(3));
/// assert_eq!(cipher.decrypt(b"ssn", masked, &mut back), Ok("123-45-6789"));
/// ```
pub struct FormCipher {
    form: Form,
    ff1: Ff1,
}

impl FormCipher {
    /// A key as [`Ff1::new`] takes it.
    ///
    /// # Errors
    /// When the key has another length.
    pub fn new(key: &[u8], form: Form) -> Result<Self, ParameterError> {
        let ff1 = Ff1::new(key, form.alphabet.radix())?;
        Ok(FormCipher { form, ff1 })
    }

    /// The text in another of the same form.
    ///
    /// # Errors
    /// When too few signs are left to permute, a letter or digit is not in the alphabet, or the
    /// check digit is wrong.
    pub fn encrypt<'b>(
        &self,
        tweak: &[u8],
        text: &str,
        buffer: &'b mut FormBuffer,
    ) -> Result<&'b str, Refusal> {
        self.permute(Way::Encrypt, tweak, text, buffer)
    }

    /// The text that was encrypted to this one. There is nothing to tell a wrong key or tweak by.
    ///
    /// # Errors
    /// As [`FormCipher::encrypt`].
    pub fn decrypt<'b>(
        &self,
        tweak: &[u8],
        text: &str,
        buffer: &'b mut FormBuffer,
    ) -> Result<&'b str, Refusal> {
        self.permute(Way::Decrypt, tweak, text, buffer)
    }

    fn permute<'b>(
        &self,
        way: Way,
        tweak: &[u8],
        text: &str,
        buffer: &'b mut FormBuffer,
    ) -> Result<&'b str, Refusal> {
        self.take_apart(text, buffer)?;
        let (form, kept) = (&self.form, &buffer.kept);
        let length = buffer.numerals.len();
        if length > MAX_SIGNS {
            return Err(Refusal::Length);
        }
        if !form.takes(length) {
            return Err(Refusal::Domain);
        }
        if form.luhn && !luhn_holds(&buffer.numerals) {
            return Err(Refusal::CheckDigit);
        }
        let computed = form.luhn && form.keep_last == 0;
        let end = length - form.keep_last - usize::from(computed);
        let permuted = form.keep_first..end;
        loop {
            let numerals = buffer.numerals.get_mut(permuted.clone());
            let numerals = numerals.ok_or(Refusal::Domain)?;
            self.ff1.permute(way, &[tweak, kept], numerals)?;
            if computed {
                set_check_digit(&mut buffer.numerals);
            }
            // Where the check digit is kept, the permutation is walked to the next number that it
            // fits, about ten steps away: between such numbers, walking is a permutation too.
            if !form.luhn || luhn_holds(&buffer.numerals) {
                break;
            }
        }
        self.put_together(text, buffer)
    }

    /// Fills the numerals, and what of them is kept.
    fn take_apart(&self, text: &str, buffer: &mut FormBuffer) -> Result<(), Refusal> {
        buffer.numerals.clear();
        for sign in text.chars() {
            match self.form.alphabet.numeral(sign) {
                Some(numeral) => buffer.numerals.push(numeral),
                None if sign.is_alphanumeric() => return Err(Refusal::Alphabet),
                None => {}
            }
        }
        buffer.kept.clear();
        let (first, last) = (self.form.keep_first, self.form.keep_last);
        if first > 0 || last > 0 {
            for count in [first, last] {
                buffer.kept.extend_from_slice(&(count as u64).to_be_bytes());
            }
            let start = buffer.numerals.iter().take(first);
            let end = buffer.numerals.iter().rev().take(last);
            for numeral in start.chain(end) {
                buffer.kept.extend_from_slice(&numeral.to_be_bytes());
            }
        }
        Ok(())
    }

    /// The text with its signs of the alphabet exchanged for the numerals'.
    fn put_together<'b>(&self, text: &str, buffer: &'b mut FormBuffer) -> Result<&'b str, Refusal> {
        let alphabet = &self.form.alphabet;
        let mut numerals = buffer.numerals.iter();
        buffer.text.clear();
        for sign in text.chars() {
            let sign = match alphabet.numeral(sign) {
                Some(_) => numerals.next().and_then(|n| alphabet.sign(*n)),
                None => Some(sign),
            };
            buffer.text.push(sign.ok_or(Refusal::Alphabet)?);
        }
        Ok(&buffer.text)
    }
}

fn luhn_holds(digits: &[u16]) -> bool {
    luhn::sum(digits.iter().rev().copied()) == 0
}

fn set_check_digit(digits: &mut [u16]) {
    if let Some((last, others)) = digits.split_last_mut() {
        *last = luhn::check_digit(others.iter().rev().copied());
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
