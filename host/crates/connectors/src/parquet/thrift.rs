//! The few fields of Parquet's Thrift structures that are checked before the `parquet` crate gets
//! them: the head of a page, whether a file is encrypted, and how.

/// Structures within structures that are followed; Parquet's own have seven.
const MAX_DEPTH: u32 = 16;
/// The protocol's types.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I32: u8 = 5;
const BINARY: u8 = 8;
const STRUCT: u8 = 12;

/// What a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Data,
    Dictionary,
    /// An index, which nobody writes, or what later versions may bring.
    Other,
}

/// What stands before a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: PageKind,
    /// Bytes of the page in the file.
    pub(super) packed: u64,
    /// Bytes of the page when it is unpacked.
    pub(super) unpacked: u64,
    /// CRC-32 of the page as it is in the file, where the writer wrote one.
    pub(super) crc: Option<u32>,
    /// Bytes at the page's start that are never packed: the levels of a page of version 2.
    pub(super) levels: u64,
    /// Whether the rest is packed by the column's codec.
    pub(super) is_packed: bool,
}

impl Head {
    /// Read off the start of a page; none if it does not begin as every writer begins it, or has
    /// a dictionary of more values than bytes, for all of which the crate would make room.
    pub(super) fn read(bytes: &[u8]) -> Option<Head> {
        let mut compact = Compact(bytes);
        let mut last = 0;
        let is = |found: Option<(i64, u8)>, field| (found == Some((field, I32))).then_some(());
        is(compact.field(&mut last)?, 1)?;
        let kind = match compact.integer()? {
            0 | 3 => PageKind::Data,
            2 => PageKind::Dictionary,
            _ => PageKind::Other,
        };
        is(compact.field(&mut last)?, 2)?;
        let unpacked = compact.size()?;
        is(compact.field(&mut last)?, 3)?;
        let packed = compact.size()?;
        let mut head = Head {
            kind,
            packed,
            unpacked,
            crc: None,
            levels: 0,
            is_packed: true,
        };
        while let Some((field, kind)) = compact.field(&mut last)? {
            match (field, kind) {
                // A CRC is unsigned and written as if it were not.
                (4, I32) => head.crc = Some(compact.integer()? as u32),
                // Of a page of version 1 nothing more is needed.
                (5, STRUCT) => break,
                (7, STRUCT) => {
                    is(compact.field(&mut 0)?, 1)?;
                    (compact.size()? <= unpacked).then_some(())?;
                    break;
                }
                (8, STRUCT) => {
                    head.version_2(&mut compact)?;
                    break;
                }
                (_, kind) => compact.skip(kind, 0)?,
            }
        }
        Some(head)
    }

    fn version_2(&mut self, compact: &mut Compact<'_>) -> Option<()> {
        let mut last = 0;
        while let Some((field, kind)) = compact.field(&mut last)? {
            match (field, kind) {
                (5 | 6, I32) => self.levels = self.levels.saturating_add(compact.size()?),
                (7, TRUE | FALSE) => self.is_packed = kind == TRUE,
                // Statistics, which may be long.
                (8, _) => break,
                (_, kind) => compact.skip(kind, 0)?,
            }
        }
        (self.levels <= self.packed.min(self.unpacked)).then_some(())
    }
}

/// Whether a footer that can be read by anybody speaks of encrypted columns.
pub(super) fn is_encrypted(footer: &[u8]) -> bool {
    const ALGORITHM: i64 = 8;
    let mut compact = Compact(footer);
    let mut last = 0;
    while let Some(Some((field, kind))) = compact.field(&mut last) {
        if (field, kind) == (ALGORITHM, STRUCT) {
            return true;
        }
        if compact.skip(kind, 0).is_none() {
            return false;
        }
    }
    false
}

/// The head of a page made longer by `bytes`, of which the crate skips what it does not know; none if
/// it does not end as a structure does.
pub(super) fn lengthen(head: &mut Vec<u8>, bytes: usize) -> Option<()> {
    /// A field of bytes under number 100, of which Parquet's own are far.
    const FIELD: [u8; 3] = [BINARY, 200, 1];
    let filling = bytes.checked_sub(FIELD.len() + 1)?;
    let length = u8::try_from(filling).ok().filter(|length| *length < 128)?;
    (head.pop()? == 0).then_some(())?;
    head.extend_from_slice(&FIELD);
    head.push(length);
    head.resize(head.len() + filling + 1, 0);
    Some(())
}

/// How a file is encrypted whose footer is, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Encryption {
    /// By AES-GCM, with what all parts of the file are bound to, prefix and number.
    Gcm(Vec<u8>),
    /// The same, but the prefix is known to the writer only.
    UnknownPrefix,
    /// By AES-GCM and AES-CTR.
    Ctr,
}

/// What stands before an encrypted footer, and how many bytes that is.
pub(super) fn encryption(start: &[u8]) -> Option<(Encryption, usize)> {
    let mut compact = Compact(start);
    let mut last = 0;
    (compact.field(&mut last)? == Some((1, STRUCT))).then_some(())?;
    let (algorithm, kind) = compact.field(&mut 0)??;
    (kind == STRUCT).then_some(())?;
    let (mut prefix, mut number, mut unknown) = (Vec::new(), None, false);
    let mut inner = 0;
    while let Some((field, kind)) = compact.field(&mut inner)? {
        match (field, kind) {
            (1, BINARY) => prefix = compact.binary()?.to_vec(),
            (2, BINARY) => number = Some(compact.binary()?),
            (3, TRUE | FALSE) => unknown = kind == TRUE,
            (_, kind) => compact.skip(kind, 0)?,
        }
    }
    // The end of the union, and then of the whole.
    compact.field(&mut 0)?.is_none().then_some(())?;
    while let Some((_, kind)) = compact.field(&mut last)? {
        compact.skip(kind, 0)?;
    }
    let encryption = match (algorithm, unknown) {
        (1, false) => {
            prefix.extend_from_slice(number?);
            Encryption::Gcm(prefix)
        }
        (1, true) => Encryption::UnknownPrefix,
        (2, _) => Encryption::Ctr,
        _ => return None,
    };
    Some((encryption, start.len() - compact.0.len()))
}

/// What is left to read. Each call is none where the bytes end or cannot be.
struct Compact<'a>(&'a [u8]);

impl<'a> Compact<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A zigzag integer.
    fn integer(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// An integer that counts bytes; a negative one becomes a huge one.
    fn size(&mut self) -> Option<u64> {
        Some(u64::try_from(self.integer()?).unwrap_or(u64::MAX))
    }

    /// The next field's number and type, or the structure's end.
    fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *last = match byte >> 4 {
            0 => self.integer()?,
            delta => last.checked_add(delta.into())?,
        };
        Some(Some((*last, byte & 0x0f)))
    }

    fn bytes(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    /// So many bytes as stand before them.
    fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        (depth < MAX_DEPTH).then_some(())?;
        match kind {
            TRUE | FALSE => Some(()),
            3 => self.bytes(1),
            4..=6 => self.varint().map(drop),
            7 => self.bytes(8),
            BINARY => self.binary().map(drop),
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    count => count.into(),
                };
                (0..count).try_for_each(|_| self.element(head & 0x0f, depth))
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.element(kinds >> 4, depth)?;
                    self.element(kinds & 0x0f, depth)
                })
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// A value in a list, where a boolean is a byte.
    fn element(&mut self, kind: u8, depth: u32) -> Option<()> {
        match kind {
            TRUE | FALSE => self.bytes(1),
            kind => self.skip(kind, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_of_a_page_are_read_off_its_head() {
        // Type 0; 300 unpacked; 200 packed.
        let page = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0x90, 0x03, 0x2c];
        let head = Head::read(&page).unwrap();
        assert_eq!((head.unpacked, head.packed, head.crc), (300, 200, None));
        let negative = Head::read(&[0x15, 0, 0x15, 0x01, 0x15, 0, 0]).unwrap();
        assert_eq!(negative.unpacked, u64::MAX);
        assert_eq!(Head::read(&page[..6]), None);
        assert_eq!(Head::read(&[0x19, 0, 0x15, 2, 0x15, 2, 0]), None);
        assert_eq!(
            Head::read(&[0x15, 0, 0x15, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }

    #[test]
    fn a_dictionary_has_no_more_values_than_bytes() {
        // Type 2; 16 unpacked; 8 packed; then a dictionary of so many values.
        let page = |values: &[u8]| [&[0x15, 4, 0x15, 32, 0x15, 16, 0x4c], values].concat();
        assert!(Head::read(&page(&[0x15, 8, 0x15, 0, 0, 0])).is_some());
        assert_eq!(Head::read(&page(&[0x15, 34])), None);
        assert_eq!(
            Head::read(&page(&[0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f])),
            None
        );
        // With a checksum.
        let page = [0x15, 4, 0x15, 32, 0x15, 16, 0x15, 99, 0x3c, 0x15, 8];
        assert_eq!(Head::read(&page).unwrap().crc, Some(-50i32 as u32));
    }

    #[test]
    fn the_levels_of_a_page_of_version_2_are_not_packed() {
        // Type 3; 64 unpacked; 32 packed; version 2: values, nulls, rows, encoding, 3 and 4 bytes.
        let page = |rest: &[u8]| {
            let start = [0x15, 6, 0x15, 128, 1, 0x15, 64, 0x5c];
            let fields = [0x15, 2, 0x15, 0, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 8];
            [&start, &fields[..], rest].concat()
        };
        let head = Head::read(&page(&[0x12, 0, 0])).unwrap();
        assert_eq!((head.levels, head.is_packed), (7, false));
        let head = Head::read(&page(&[0, 0])).unwrap();
        assert_eq!((head.levels, head.is_packed), (7, true));
    }

    #[test]
    fn a_footer_tells_of_encryption() {
        // Version 1, a list of two booleans, a text, then field 8, a structure.
        let plain = [0x15, 2, 0x19, 0x21, 1, 1, 0x18, 2, b'a', b'b'];
        assert!(!is_encrypted(&[&plain[..], &[0]].concat()));
        assert!(is_encrypted(&[&plain[..], &[0x5c, 0x1c, 0, 0, 0]].concat()));
        let endless = [0x1c; 1000];
        assert!(!is_encrypted(&endless));
    }

    #[test]
    fn how_a_footer_is_encrypted_stands_before_it() {
        // A union's first member: prefix "ab", number "xyz"; then the metadata of a key, "k".
        let start = [
            0x1c, 0x1c, 0x18, 2, b'a', b'b', 0x18, 3, b'x', b'y', b'z', 0, 0, 0x18, 1, b'k', 0,
        ];
        let footer = [&start[..], b"the footer"].concat();
        let bound = Encryption::Gcm(b"abxyz".to_vec());
        assert_eq!(encryption(&footer), Some((bound, start.len())));
        // The prefix is not there; the other algorithm; no number.
        let unknown = [0x1c, 0x1c, 0x28, 1, b'x', 0x11, 0, 0, 0];
        assert_eq!(encryption(&unknown), Some((Encryption::UnknownPrefix, 9)));
        let ctr = [0x1c, 0x2c, 0x28, 1, b'x', 0, 0, 0];
        assert_eq!(encryption(&ctr), Some((Encryption::Ctr, 8)));
        assert_eq!(encryption(&[0x1c, 0x1c, 0, 0, 0]), None);
        for cut in 0..start.len() {
            assert_eq!(encryption(&start[..cut]), None);
        }
    }

    #[test]
    fn a_head_is_made_longer_by_what_is_skipped() {
        let head = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0x90, 0x03, 0];
        let mut longer = head.to_vec();
        lengthen(&mut longer, 32).unwrap();
        assert_eq!(longer.len(), head.len() + 32);
        assert_eq!(Head::read(&longer), Head::read(&head));
        let mut compact = Compact(&longer);
        assert_eq!(compact.skip(STRUCT, 0), Some(()));
        assert!(compact.0.is_empty());
        assert_eq!(lengthen(&mut head[..8].to_vec(), 32), None);
    }
}
