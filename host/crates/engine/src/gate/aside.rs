//! What a chunk has beside its rows, packed to wait: rejects, sealed blocks and tokens may be as many as rows.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use glovebox_core::{
    FinishedChunk, NewToken, Reject, SealedBlock, Token, TokenBatch, TokenKey, Violation,
};
use serde::{Deserialize, Serialize};

/// All of a chunk.
#[derive(Serialize, Deserialize)]
struct Aside<'a> {
    #[serde(borrow)]
    rejects: Vec<Row<'a>>,
    sealed: Vec<Sealed<'a>>,
    tokens: Vec<Tokens<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Row<'a> {
    row: u64,
    file: Option<Cow<'a, str>>,
    line: Option<u64>,
    violations: Vec<Broken<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Broken<'a> {
    step: Cow<'a, str>,
    column: Option<Cow<'a, str>>,
    rule: Cow<'a, str>,
    message: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    chunk: u64,
    part: u32,
    rows: u64,
    line: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Tokens<'a> {
    domain: Cow<'a, str>,
    version: u32,
    key: [u8; 16],
    halves: [Cow<'a, [u8]>; 2],
    expires: Option<Duration>,
    uses: Option<u32>,
    tokens: Vec<([u8; 16], Cow<'a, [u8]>)>,
}

/// Takes it out of a chunk.
pub(super) fn pack(chunk: &mut FinishedChunk) -> io::Result<Vec<u8>> {
    let (rejects, sealed, tokens) = (
        std::mem::take(&mut chunk.rejects),
        std::mem::take(&mut chunk.sealed),
        std::mem::take(&mut chunk.tokens),
    );
    if rejects.is_empty() && sealed.is_empty() && tokens.is_empty() {
        return Ok(Vec::new());
    }
    let aside = Aside {
        rejects: rejects.iter().map(Row::of).collect(),
        sealed: sealed.iter().map(Sealed::of).collect(),
        tokens: tokens.iter().map(Tokens::of).collect(),
    };
    postcard::to_allocvec(&aside).map_err(io::Error::other)
}

/// Puts it back.
pub(super) fn unpack(bytes: &[u8], chunk: &mut FinishedChunk) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    // The error could have a value of what is read in it.
    let aside: Aside<'_> = postcard::from_bytes(bytes)
        .map_err(|_| io::Error::other("what waited cannot be unpacked"))?;
    chunk.rejects = aside.rejects.into_iter().map(Row::back).collect();
    chunk.sealed = aside.sealed.into_iter().map(Sealed::back).collect();
    chunk.tokens = aside.tokens.into_iter().map(Tokens::back).collect();
    Ok(())
}

impl<'a> Row<'a> {
    fn of(reject: &'a Reject) -> Self {
        Row {
            row: reject.row,
            file: reject.file.as_deref().map(Cow::Borrowed),
            line: reject.line,
            violations: reject.violations.iter().map(Broken::of).collect(),
        }
    }

    fn back(self) -> Reject {
        Reject {
            row: self.row,
            file: self.file.map(|file| file.as_ref().into()),
            line: self.line,
            violations: self.violations.into_iter().map(Broken::back).collect(),
        }
    }
}

impl<'a> Broken<'a> {
    fn of(violation: &'a Violation) -> Self {
        Broken {
            step: Cow::Borrowed(&violation.step),
            column: violation.column.as_deref().map(Cow::Borrowed),
            rule: Cow::Borrowed(&violation.rule),
            message: Cow::Borrowed(&violation.message),
        }
    }

    fn back(self) -> Violation {
        Violation {
            step: self.step.as_ref().into(),
            column: self.column.map(|column| column.as_ref().into()),
            rule: self.rule.as_ref().into(),
            message: self.message.as_ref().into(),
        }
    }
}

impl<'a> Sealed<'a> {
    fn of(block: &'a SealedBlock) -> Self {
        Sealed {
            chunk: block.chunk,
            part: block.part,
            rows: block.rows,
            line: Cow::Borrowed(&block.line),
        }
    }

    fn back(self) -> SealedBlock {
        SealedBlock {
            chunk: self.chunk,
            part: self.part,
            rows: self.rows,
            line: self.line.into_owned(),
        }
    }
}

impl<'a> Tokens<'a> {
    fn of(batch: &'a TokenBatch) -> Self {
        let [first, second] = &batch.key.halves;
        let tokens = batch.tokens.iter();
        Tokens {
            domain: Cow::Borrowed(&batch.domain),
            version: batch.version,
            key: batch.key.id,
            halves: [Cow::Borrowed(first), Cow::Borrowed(second)],
            expires: batch.expires,
            uses: batch.uses,
            tokens: tokens
                .map(|new| (new.token.0, Cow::Borrowed(&*new.sealed)))
                .collect(),
        }
    }

    fn back(self) -> TokenBatch {
        let tokens = self.tokens.into_iter().map(|(token, sealed)| NewToken {
            token: Token(token),
            sealed: sealed.into_owned(),
        });
        TokenBatch {
            domain: self.domain.as_ref().into(),
            version: self.version,
            key: TokenKey {
                id: self.key,
                halves: self.halves.map(Cow::into_owned),
            },
            expires: self.expires,
            uses: self.uses,
            tokens: tokens.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chunk_has_beside_its_rows_comes_back() {
        let violation = Violation {
            step: "check".into(),
            column: Some("price".into()),
            rule: "range".into(),
            message: "is out of range".into(),
        };
        let rejects = vec![
            Reject {
                row: 7,
                file: None,
                line: Some(9),
                violations: vec![
                    violation.clone(),
                    Violation {
                        column: None,
                        ..violation
                    },
                ],
            },
            Reject {
                row: 8,
                file: Some("b.csv".into()),
                line: None,
                violations: Vec::new(),
            },
        ];
        let sealed = vec![SealedBlock {
            chunk: 3,
            part: 1,
            rows: 2,
            line: "{}".into(),
        }];
        let key = TokenKey {
            id: [5; 16],
            halves: [vec![1, 200], vec![2]],
        };
        let token = NewToken {
            token: Token([9; 16]),
            sealed: vec![0, 255, 7],
        };
        let tokens = TokenBatch {
            domain: "person".into(),
            version: 2,
            key: key.clone(),
            expires: Some(Duration::from_millis(1500)),
            uses: Some(4),
            tokens: vec![token.clone()],
        };
        let mut chunk = FinishedChunk {
            rejects: rejects.clone(),
            sealed: sealed.clone(),
            tokens: vec![tokens],
            ..FinishedChunk::default()
        };
        let packed = pack(&mut chunk).unwrap();
        assert!(chunk.rejects.is_empty() && chunk.sealed.is_empty() && chunk.tokens.is_empty());
        unpack(&packed, &mut chunk).unwrap();
        assert_eq!((chunk.rejects, chunk.sealed), (rejects, sealed));
        let back = &chunk.tokens[0];
        assert_eq!(
            (&*back.domain, back.version, &back.key, &back.tokens),
            ("person", 2, &key, &vec![token])
        );
        assert_eq!(
            (back.expires, back.uses),
            (Some(Duration::from_millis(1500)), Some(4))
        );
        let mut empty = FinishedChunk::default();
        assert!(pack(&mut empty).unwrap().is_empty());
        assert!(unpack(&packed[..5], &mut empty).is_err());
    }
}
