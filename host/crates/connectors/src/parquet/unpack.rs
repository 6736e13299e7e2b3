//! Decompresses pages that the `parquet` crate should not decompress itself.

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::block;
use lz4_flex::frame::FrameDecoder;
use parquet::basic::Compression;

/// A codec of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Brotli,
    /// `LZ4`, as Hadoop and older writers have it.
    Lz4,
}

impl Codec {
    /// Which of them a column is packed by, if it is one of them.
    pub(super) fn of(codec: Compression) -> Option<Codec> {
        match codec {
            Compression::GZIP(_) => Some(Codec::Gzip),
            Compression::BROTLI(_) => Some(Codec::Brotli),
            Compression::LZ4 => Some(Codec::Lz4),
            _ => None,
        }
    }

    /// The page unpacked behind what is there, to just so many bytes.
    pub(super) fn unpack(self, packed: &[u8], bytes: usize, out: &mut Vec<u8>) -> Option<()> {
        if bytes == 0 {
            return Some(());
        }
        match self {
            Codec::Gzip => all_of(MultiGzDecoder::new(packed), bytes, out),
            Codec::Brotli => all_of(Decompressor::new(packed, 4 << 10), bytes, out),
            Codec::Lz4 => lz4(packed, bytes, out),
        }
    }
}

fn all_of(from: impl Read, bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    let before = out.len();
    from.take(bytes as u64 + 1).read_to_end(out).ok()?;
    (out.len() - before == bytes).then_some(())
}

/// Three forms go by one name: Hadoop's frames, LZ4's own, and a block without any.
fn lz4(packed: &[u8], bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
    let before = out.len();
    let again = |out: &mut Vec<u8>| {
        out.truncate(before);
        Some(())
    };
    hadoop(packed, bytes, out)
        .or_else(|| {
            again(out)?;
            packed.starts_with(&MAGIC).then_some(())?;
            all_of(FrameDecoder::new(packed), bytes, out)
        })
        .or_else(|| {
            again(out)?;
            one_block(packed, bytes, out)
        })
}

/// Frames of the size unpacked and the size packed, each in four bytes, and a block.
fn hadoop(mut packed: &[u8], mut bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    while let Some((unpacked, rest)) = packed.split_first_chunk() {
        let (length, rest) = rest.split_first_chunk()?;
        let unpacked = usize::try_from(u32::from_be_bytes(*unpacked)).ok()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (block, rest) = rest.split_at_checked(length)?;
        bytes = bytes.checked_sub(unpacked)?;
        one_block(block, unpacked, out)?;
        packed = rest;
    }
    (packed.is_empty() && bytes == 0).then_some(())
}

fn one_block(packed: &[u8], bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    let before = out.len();
    out.resize(before.checked_add(bytes)?, 0);
    let unpacked = block::decompress_into(packed, out.get_mut(before..)?).ok()?;
    (unpacked == bytes).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts {
            let block = block::compress(part);
            out.extend((part.len() as u32).to_be_bytes());
            out.extend((block.len() as u32).to_be_bytes());
            out.extend(block);
        }
        out
    }

    fn unpacked(packed: &[u8], bytes: usize) -> Option<Vec<u8>> {
        let mut out = b"levels".to_vec();
        Codec::Lz4.unpack(packed, bytes, &mut out)?;
        Some(out.split_off(6))
    }

    #[test]
    fn hadoops_frames_are_read_however_many_and_however_long() {
        // The last of several blocks is the shorter one.
        let long: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let packed = framed(&[&long, &long, b"the end"]);
        let whole = [&long[..], &long, b"the end"].concat();
        assert_eq!(unpacked(&packed, whole.len()).as_ref(), Some(&whole));
        assert_eq!(unpacked(&packed, whole.len() - 1), None);
        assert_eq!(unpacked(&packed, whole.len() + 1), None);
        assert_eq!(unpacked(&packed[..packed.len() - 1], whole.len()), None);
        assert_eq!(unpacked(&block::compress(b"bare"), 4).unwrap(), b"bare");
        assert_eq!(unpacked(b"", 0).unwrap(), b"");
    }
}
