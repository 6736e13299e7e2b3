//! The bytes of a binary COPY cut into pieces of whole rows.
//! Any deviation from the format is an error, so that later code never meets a wrong length.

use super::super::copy::HEADER;

/// The bytes are not a binary COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Whole rows, and how many behind them were too large.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    /// Rows behind these bytes that were larger than a row may be.
    pub(super) too_long: u64,
    /// Whether nothing of the statement follows.
    pub(super) last: bool,
}

/// Where pieces end. It decides the chunks' bounds, so it is part of the source's dialect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) rows: u64,
    pub(super) record: usize,
}

/// Takes messages, gives pieces.
pub(super) struct Cutter {
    width: usize,
    bounds: Bounds,
    headed: bool,
    ended: bool,
    piece: Piece,
    /// Size of the last piece, as a guess of the next one's.
    guess: usize,
}

impl Cutter {
    /// For rows of so many columns.
    pub(super) fn new(width: usize, bounds: Bounds) -> Self {
        Cutter {
            width,
            bounds,
            headed: false,
            ended: false,
            piece: Piece::default(),
            guess: 0,
        }
    }

    /// Takes a message, which the protocol says holds whole rows, and adds pieces that are full.
    pub(super) fn take(&mut self, message: &[u8], full: &mut Vec<Piece>) -> Result<(), Malformed> {
        let mut rest = message;
        if !self.headed {
            rest = rest.strip_prefix(HEADER).ok_or(Malformed)?;
            self.headed = true;
        }
        while !rest.is_empty() {
            if self.ended {
                return Err(Malformed);
            }
            let Some(length) = row(rest, self.width)? else {
                // The trailer, and nothing behind it.
                self.ended = true;
                rest = rest.get(2..).unwrap_or_default();
                continue;
            };
            let (row, behind) = rest.split_at_checked(length).ok_or(Malformed)?;
            self.add(row, full);
            rest = behind;
        }
        Ok(())
    }

    fn add(&mut self, row: &[u8], full: &mut Vec<Piece>) {
        if row.len() > self.bounds.record {
            self.piece.too_long += 1;
            if self.piece.too_long >= self.bounds.rows {
                full.push(self.cut());
            }
            return;
        }
        // Rejected rows stand behind a piece's rows.
        if self.piece.too_long > 0 {
            full.push(self.cut());
        }
        if self.piece.bytes.capacity() == 0 {
            self.piece.bytes.reserve(self.guess);
        }
        self.piece.bytes.extend_from_slice(row);
        self.piece.rows += 1;
        if self.piece.bytes.len() >= self.bounds.bytes || self.piece.rows >= self.bounds.rows {
            full.push(self.cut());
        }
    }

    fn cut(&mut self) -> Piece {
        self.guess = self.piece.bytes.len();
        std::mem::take(&mut self.piece)
    }

    /// The last piece, which may be empty; the stream must have come to its end.
    pub(super) fn finish(mut self) -> Result<Piece, Malformed> {
        if !self.ended {
            return Err(Malformed);
        }
        self.piece.last = true;
        Ok(self.piece)
    }
}

/// How long the first row is; none where the trailer stands.
fn row(bytes: &[u8], width: usize) -> Result<Option<usize>, Malformed> {
    let mut cells = match Cells::of(bytes)? {
        Some(cells) if cells.width == width => cells,
        Some(_) => return Err(Malformed),
        None => return Ok(None),
    };
    for _ in 0..width {
        cells.next()?;
    }
    Ok(Some(bytes.len() - cells.rest.len()))
}

/// The cells of a row, one after the other.
pub(super) struct Cells<'a> {
    pub(super) width: usize,
    pub(super) rest: &'a [u8],
}

impl<'a> Cells<'a> {
    /// Those of the first row; none where the trailer stands.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let (width, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
        match i16::from_be_bytes(*width) {
            -1 => Ok(None),
            width => Ok(Some(Cells {
                width: usize::try_from(width).map_err(|_| Malformed)?,
                rest,
            })),
        }
    }

    /// The next cell; none is null.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            self.rest = rest;
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (cell, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(Some(cell))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 40,
        rows: 100,
        record: 30,
    };

    fn row_of(cells: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = i16::try_from(cells.len()).unwrap().to_be_bytes().to_vec();
        for cell in cells {
            let length = cell.map_or(-1, |c| i32::try_from(c.len()).unwrap());
            row.extend(length.to_be_bytes());
            row.extend(cell.unwrap_or_default());
        }
        row
    }

    fn pieces(messages: &[Vec<u8>], width: usize) -> Result<Vec<Piece>, Malformed> {
        let mut cutter = Cutter::new(width, BOUNDS);
        let mut all = Vec::new();
        for message in messages {
            cutter.take(message, &mut all)?;
        }
        all.push(cutter.finish()?);
        Ok(all)
    }

    fn stream(rows: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut messages: Vec<Vec<u8>> = rows.to_vec();
        messages.push(vec![0xff, 0xff]);
        messages[0].splice(0..0, HEADER.iter().copied());
        messages
    }

    #[test]
    fn pieces_are_cut_at_rows_and_a_row_too_long_ends_one() {
        let short = row_of(&[Some(b"1234567890")]);
        let long = row_of(&[Some(&[7; 40])]);
        let rows = [&short, &long, &long, &short, &short, &short, &short].map(Clone::clone);
        let found: Vec<_> = pieces(&stream(&rows), 1)
            .unwrap()
            .into_iter()
            .map(|p| (p.rows, p.bytes.len(), p.too_long, p.last))
            .collect();
        assert_eq!(
            found,
            [(1, 16, 2, false), (3, 48, 0, false), (1, 16, 0, true)]
        );
    }

    #[test]
    fn a_stream_that_is_not_the_format_is_refused() {
        let row = row_of(&[None, Some(b"x")]);
        let good = stream(std::slice::from_ref(&row));
        assert_eq!(pieces(&good, 2).unwrap()[0].rows, 1);
        for (what, messages, width) in [
            ("no header", vec![row.clone()], 2),
            ("another width", good.clone(), 3),
            ("no trailer", good[..1].to_vec(), 2),
            (
                "rows behind the trailer",
                [good.clone(), vec![row.clone()]].concat(),
                2,
            ),
            ("half a row", vec![good[0][..good[0].len() - 1].to_vec()], 2),
            (
                "a length below null",
                stream(&[[&[0, 1][..], &[0xff, 0xff, 0xff, 0xfe]].concat()]),
                1,
            ),
            (
                "a length past the end",
                stream(&[[&[0, 1][..], &[0x7f, 0xff, 0xff, 0xff]].concat()]),
                1,
            ),
        ] {
            assert!(pieces(&messages, width).is_err(), "{what}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_server_sends_is_rows_or_an_error(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
            width in 0usize..4,
            headed: bool,
        ) {
            let mut messages = messages;
            if headed && let Some(first) = messages.first_mut() {
                first.splice(0..0, HEADER.iter().copied());
            }
            if let Ok(pieces) = pieces(&messages, width) {
                for piece in pieces {
                    let mut rest = piece.bytes.as_slice();
                    let mut rows = 0;
                    while !rest.is_empty() {
                        let length = row(rest, width).unwrap().unwrap();
                        rest = &rest[length..];
                        rows += 1;
                    }
                    prop_assert_eq!(rows, piece.rows);
                }
            }
        }

        #[test]
        fn bounds_are_the_same_however_rows_come_in_messages(
            sizes in prop::collection::vec(0usize..45, 1..30),
            cuts in prop::collection::vec(any::<bool>(), 30),
        ) {
            let rows: Vec<Vec<u8>> = sizes.iter().map(|s| row_of(&[Some(&vec![1; *s])])).collect();
            let alone = pieces(&stream(&rows), 1).unwrap();
            let mut joined: Vec<Vec<u8>> = vec![Vec::new()];
            for (message, cut) in stream(&rows).into_iter().zip(cuts.iter().chain([&true; 2])) {
                joined.last_mut().unwrap().extend(message);
                if *cut {
                    joined.push(Vec::new());
                }
            }
            joined.retain(|m| !m.is_empty());
            let together = pieces(&joined, 1).unwrap();
            prop_assert_eq!(alone.len(), together.len());
            for (a, b) in alone.iter().zip(&together) {
                prop_assert!(a.bytes == b.bytes && a.too_long == b.too_long);
            }
        }
    }
}
