//! What a value becomes, level by level, until nothing is left of it.

use std::borrow::Cow;

use hashbrown::HashMap;

/// What stands for any value.
pub const TOP: &str = "*";

/// The largest file of a hierarchy has so many values.
const MAX_VALUES: usize = 1_000_000;
/// And so many levels.
const MAX_LEVELS: usize = 32;

/// The levels of a column's values, each more general than the one before: values that are equal at
/// one level are equal at all that follow. At the last every value is [`TOP`].
#[derive(Debug, Clone)]
pub struct Hierarchy {
    levels: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// As a file lists it.
    Listed(HashMap<Box<str>, Box<[Box<str>]>>),
    /// Numbers by intervals of these widths.
    Widths(Vec<u64>),
    /// Dates and times by these parts.
    Dates(Vec<DatePart>),
    /// Text by its first characters, so many.
    Prefixes(Vec<usize>),
    /// The values themselves.
    Values,
}

/// What is left of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatePart {
    /// `2024-05-17`
    Day,
    /// `2024-05`
    Month,
    /// `2024-Q2`
    Quarter,
    /// `2024`
    Year,
    /// `2020s`
    Decade,
}

/// Why something is no hierarchy. The number is of the line or place that is wrong, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyError {
    /// Nothing is in it.
    #[error("it has no level")]
    Empty,
    /// More than may be.
    #[error("it has more than {MAX_VALUES} values or {MAX_LEVELS} levels")]
    TooLarge,
    /// A line has another number of levels than the first.
    #[error("line {0} has another number of levels than the first line")]
    Ragged(usize),
    /// A value stands twice.
    #[error("the value of line {0} stands in an earlier line too")]
    Twice(usize),
    /// What is equal at one level differs at the next.
    #[error(
        "line {line} shares its level {level} with an earlier line, but not the level after it"
    )]
    Splits {
        /// The line.
        line: usize,
        /// The level that is shared, counted from 1.
        level: usize,
    },
    /// A level is not made of whole units of the one before.
    #[error("level {0} is not more general than the level before it")]
    Order(usize),
}

impl Hierarchy {
    /// The values as they are, and [`TOP`].
    pub fn values() -> Self {
        Hierarchy {
            levels: 2,
            kind: Kind::Values,
        }
    }

    /// As lines list it: the value, what it becomes at the next level, and so on. Where the last level
    /// is not the same for all, [`TOP`] is one more.
    ///
    /// # Errors
    /// When the lines are no hierarchy.
    pub fn listed<L, C>(lines: L) -> Result<Self, HierarchyError>
    where
        L: IntoIterator<Item = C>,
        C: AsRef<[String]>,
    {
        let mut values: HashMap<Box<str>, Box<[Box<str>]>> = HashMap::new();
        // Of each level, what each of its names becomes at the next.
        let mut next: Vec<HashMap<String, String>> = Vec::new();
        let mut width = None;
        for (at, line) in lines.into_iter().enumerate() {
            let cells = line.as_ref();
            if *width.get_or_insert(cells.len()) != cells.len() {
                return Err(HierarchyError::Ragged(at + 1));
            }
            if at >= MAX_VALUES || cells.len() > MAX_LEVELS {
                return Err(HierarchyError::TooLarge);
            }
            next.resize_with(cells.len().saturating_sub(1), HashMap::new);
            for (level, (pair, next)) in cells.windows(2).zip(&mut next).enumerate() {
                let [name, parent] = pair else { continue };
                let known = next
                    .entry_ref(name.as_str())
                    .or_insert_with(|| parent.clone());
                // A value that stands twice is said to, whatever its parents.
                if level > 0 && known != parent {
                    return Err(HierarchyError::Splits {
                        line: at + 1,
                        level: level + 1,
                    });
                }
            }
            let Some((value, parents)) = cells.split_first() else {
                return Err(HierarchyError::Empty);
            };
            let parents = parents.iter().map(|p| p.as_str().into()).collect();
            if values.insert(value.as_str().into(), parents).is_some() {
                return Err(HierarchyError::Twice(at + 1));
            }
        }
        let width = width.ok_or(HierarchyError::Empty)?;
        let mut tops = values.values().map(|parents| parents.last());
        let first = tops.next().flatten().cloned();
        let one_top = first.is_some() && tops.all(|top| top == first.as_ref());
        Ok(Hierarchy {
            levels: if one_top { width } else { width + 1 },
            kind: Kind::Listed(values),
        })
    }

    /// Numbers by intervals of these widths, which begin at multiples of them.
    ///
    /// # Errors
    /// When a width is no multiple of the one before.
    pub fn widths(widths: Vec<u64>) -> Result<Self, HierarchyError> {
        nested(&widths, |a, b| *a > 0 && b > a && b % a == 0)?;
        Ok(Hierarchy {
            levels: widths.len() + 1,
            kind: Kind::Widths(widths),
        })
    }

    /// Dates by these parts.
    ///
    /// # Errors
    /// When a part is not longer than the one before.
    pub fn dates(parts: Vec<DatePart>) -> Result<Self, HierarchyError> {
        nested(&parts, |a, b| b > a)?;
        Ok(Hierarchy {
            levels: parts.len() + 1,
            kind: Kind::Dates(parts),
        })
    }

    /// Text by its first characters, so many.
    ///
    /// # Errors
    /// When a number is not smaller than the one before.
    pub fn prefixes(lengths: Vec<usize>) -> Result<Self, HierarchyError> {
        nested(&lengths, |a, b| b < a && *b > 0)?;
        Ok(Hierarchy {
            levels: lengths.len() + 1,
            kind: Kind::Prefixes(lengths),
        })
    }

    /// How many levels there are, the last of which is [`TOP`].
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// What a value is at a level; none if it is none of this hierarchy's.
    pub fn at<'a>(&'a self, value: &'a str, level: usize) -> Option<Cow<'a, str>> {
        let top = level + 1 >= self.levels;
        match &self.kind {
            Kind::Listed(values) => {
                let (value, parents) = values.get_key_value(value)?;
                match level.checked_sub(1) {
                    None => Some(Cow::Borrowed(value)),
                    Some(above) => Some(
                        parents
                            .get(above)
                            .map_or(Cow::Borrowed(TOP), |p| Cow::Borrowed(p)),
                    ),
                }
            }
            Kind::Widths(widths) => {
                let number = Number::parse(value)?;
                match widths.get(level) {
                    Some(width) if !top => number.interval(*width).map(Cow::Owned),
                    _ => Some(Cow::Borrowed(TOP)),
                }
            }
            Kind::Dates(parts) => {
                let date = Day::parse(value)?;
                match parts.get(level) {
                    Some(part) if !top => Some(date.part(*part)),
                    _ => Some(Cow::Borrowed(TOP)),
                }
            }
            Kind::Prefixes(lengths) => match lengths.get(level) {
                Some(length) if !top => Some(prefix(value, *length)),
                _ => Some(Cow::Borrowed(TOP)),
            },
            Kind::Values if top => Some(Cow::Borrowed(TOP)),
            Kind::Values => Some(Cow::Borrowed(value)),
        }
    }
}

/// That every entry may follow the one before.
fn nested<T>(levels: &[T], follows: impl Fn(&T, &T) -> bool) -> Result<(), HierarchyError> {
    if levels.is_empty() {
        return Err(HierarchyError::Empty);
    }
    if levels.len() >= MAX_LEVELS {
        return Err(HierarchyError::TooLarge);
    }
    let mut pairs = levels.windows(2).enumerate();
    match pairs.find(|(_, pair)| matches!(pair, [a, b] if !follows(a, b))) {
        Some((at, _)) => Err(HierarchyError::Order(at + 2)),
        None => Ok(()),
    }
}

/// The first characters, and [`TOP`] for what is cut off.
fn prefix(value: &str, length: usize) -> Cow<'_, str> {
    match value.char_indices().nth(length) {
        Some((end, _)) => Cow::Owned(format!("{}{TOP}", value.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(value),
    }
}

/// A number as cells spell it.
struct Number<'a> {
    text: &'a str,
    /// The largest integer that is not above it.
    floor: i128,
    whole: bool,
}

impl<'a> Number<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if let Ok(floor) = text.parse::<i64>() {
            let floor = floor.into();
            return Some(Number {
                text,
                floor,
                whole: true,
            });
        }
        let number: f64 = text.parse().ok()?;
        // Beyond this an integer is not exact any more.
        let exact = number.abs() < 9e15;
        #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
        exact.then(|| Number {
            text,
            floor: number.floor() as i128,
            whole: false,
        })
    }

    /// The interval of this width in which it is.
    fn interval(&self, width: u64) -> Option<String> {
        let width = i128::from(width);
        let from = self.floor.div_euclid(width) * width;
        if width == 1 && self.whole {
            return Some(self.text.to_owned());
        }
        // Of whole numbers both ends belong to it, as people write ages.
        Some(match self.whole {
            true => format!("{from}-{}", from + width - 1),
            false => format!("[{from},{})", from + width),
        })
    }
}

/// The day with which a date or a time begins.
struct Day<'a> {
    text: &'a str,
    year: i32,
    month: u32,
}

impl<'a> Day<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let text = value.get(..10)?;
        let mut parts = text.splitn(3, '-');
        let mut number = |digits| {
            let part = parts.next().filter(|p| p.len() == digits)?;
            part.parse::<u32>().ok()
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
        valid.then_some(Day {
            text,
            year: i32::try_from(year).ok()?,
            month,
        })
    }

    fn part(&self, part: DatePart) -> Cow<'a, str> {
        let year = self.year;
        Cow::Owned(match part {
            DatePart::Day => return Cow::Borrowed(self.text),
            DatePart::Month => format!("{year:04}-{:02}", self.month),
            DatePart::Quarter => format!("{year:04}-Q{}", self.month.div_ceil(3)),
            DatePart::Year => format!("{year:04}"),
            DatePart::Decade => format!("{:04}s", year.div_euclid(10) * 10),
        })
    }
}

#[cfg(test)]
#[path = "hierarchy_tests.rs"]
mod tests;
