//! What counts of an input, and what does not.

use super::*;

fn key() -> Key {
    Key::new(&Secret::new(vec![7; 32]))
}

fn chunk(text: &str) -> Chunk {
    Chunk {
        rows: text.lines().filter(|line| !line.is_empty()).count() as u64,
        first_line: Some(1),
        bytes: text.into(),
        ..Chunk::default()
    }
}

fn input(chunks: &[&str]) -> Input {
    let lines = chunks.iter().map(|text| key().read(&chunk(text)));
    lines.fold(Input::default(), |input, lines| input.with(&lines))
}

fn mark(chunks: &[&str]) -> Mark {
    key().mark(&input(chunks))
}

fn many(from: u32) -> String {
    (from..from + 100).map(|n| format!("{n},x\n")).collect()
}

#[test]
fn an_input_is_the_same_however_it_is_cut_and_ended() {
    let whole = mark(&["1,ann\n2,bob\n3,cyd\n"]);
    for same in [
        &["1,ann\n", "2,bob\n3,cyd\n"][..],
        &["1,ann\n2,bob\n3,cyd"],
        &["1,ann\r\n2,bob\r\n3,cyd\r\n"],
        &["\n1,ann\n\n2,bob\n3,cyd\n\n"],
        &["3,cyd\n", "1,ann\n2,bob\n"],
    ] {
        assert_eq!(mark(same), whole, "{same:?}");
    }
    for other in [
        "1,ann\n2,bob\n",
        "1,ann\n2,bob\n3,cyd\n3,cyd\n",
        "1,ann\n2,bob\n3,cyE\n",
    ] {
        assert_ne!(mark(&[other]), whole, "{other}");
    }
}

#[test]
fn what_came_behind_has_a_mark_of_its_own() {
    let (first, second) = (many(0), many(1000));
    let both = input(&[&first, &second]);
    assert_eq!(key().mark(&both.since(&input(&[&first]))), mark(&[&second]));
}

#[test]
fn digests_are_whole_and_depend_on_the_key() {
    let other = Key::new(&Secret::new(vec![8; 32]));
    for text in ["1,ann\n".to_owned(), many(0)] {
        let lines = key().read(&chunk(&text));
        let input = Input::default().with(&lines);
        let digest = key().mark(&input).digest;
        assert!(digest.iter().filter(|byte| **byte == 0).count() < 8);
        assert_ne!(key().chunk(&Input::default(), &lines), Digest::default());
        let others = Input::default().with(&other.read(&chunk(&text)));
        assert_ne!(other.mark(&others).digest, digest);
    }
    assert_ne!(other.check(), key().check());
}

/// RFC 2104 and RFC 8018, composed by hand: what is in the journal is HMAC-SHA-256 of the count and
/// the sum and, of few rows, PBKDF2 over that.
#[test]
fn few_rows_are_stretched_and_many_are_not() {
    let (few, lots) = (input(&["1,ann\n"]), input(&[&many(0)]));
    let plain = |input: &Input| -> Digest {
        let mut hmac = key().0.unwrap().marks;
        hmac.update(&input.lines.to_be_bytes());
        for limb in input.sum {
            hmac.update(&limb.to_be_bytes());
        }
        hmac.finalize().into_bytes().into()
    };
    assert_eq!(key().mark(&lots).digest, plain(&lots));
    // Known from its definition: one round is the HMAC of the salt and the block's number, and each
    // further one the HMAC of the one before.
    let quick = plain(&few);
    let mut first: Hmac<Sha256> = keyed(&quick);
    first.update(&key().0.unwrap().stretched);
    first.update(&1_u32.to_be_bytes());
    let mut last: Digest = first.finalize().into_bytes().into();
    let mut stretched = last;
    for _ in 1..ROUNDS.get() {
        let mut next: Hmac<Sha256> = keyed(&quick);
        next.update(&last);
        last = next.finalize().into_bytes().into();
        for (byte, more) in stretched.iter_mut().zip(last) {
            *byte ^= more;
        }
    }
    assert_eq!(key().mark(&few).digest, stretched);
}

#[test]
fn a_chunk_of_few_rows_has_no_digest_of_its_own() {
    let (start, last) = (input(&[&many(0)]), key().read(&chunk("1,ann\n")));
    assert_eq!(key().anywhere(&last), None);
    let behind = key().chunk(&start, &last);
    let elsewhere = key().chunk(&input(&[&many(1000)]), &last);
    assert_ne!(behind, elsewhere);
    let lots = key().read(&chunk(&many(0)));
    assert_eq!(key().anywhere(&lots), Some(key().chunk(&start, &lots)));
    assert_eq!(
        key().anywhere(&lots),
        Some(key().chunk(&Input::default(), &lots))
    );
}

#[test]
fn a_chunk_has_its_lines_in_their_order_under_their_header() {
    let digest = |text: &str, head: &str| {
        let chunk = Chunk {
            head: Some(head.as_bytes().into()),
            ..chunk(text)
        };
        key().chunk(&Input::default(), &key().read(&chunk))
    };
    let text = many(0);
    let turned: String = text.lines().rev().map(|line| format!("{line}\n")).collect();
    assert_ne!(digest(&text, "a,b\n"), digest(&turned, "a,b\n"));
    assert_ne!(digest(&text, "a,b\n"), digest(&text, "b,a\n"));
    assert_eq!(digest(&text, "a,b\n"), digest(&text, "a,b\r\n"));
}

#[test]
fn a_record_that_was_too_large_counts() {
    let with = |rejects: usize| {
        let reject = glovebox_core::Reject {
            row: 0,
            file: None,
            line: None,
            violations: Vec::new(),
        };
        let chunk = Chunk {
            rejects: vec![reject; rejects],
            ..chunk("1,ann\n")
        };
        let input = Input::default().with(&key().read(&chunk));
        (input.rows, key().mark(&input))
    };
    assert_eq!((with(0).0, with(2).0), (1, 3));
    assert_ne!(with(0).1, with(1).1);
}

#[test]
fn without_a_journal_rows_are_counted_and_nothing_is_hashed() {
    let lines = Key::none().read(&chunk(&many(0)));
    let input = Input::default().with(&lines);
    assert_eq!((lines.rows, lines.count, input.rows), (100, 0, 100));
    assert_eq!(Key::none().mark(&input), Mark::default());
    assert_eq!(Key::none().chunk(&input, &lines), Digest::default());
}

#[test]
fn the_longest_request_makes_the_longest_name_of_a_run() {
    let request = "r".repeat(MAX_REQUEST_LEN);
    let run = new_run(Some(&request)).unwrap();
    assert_eq!(run.len(), glovebox_core::MAX_RUN_LEN);
    assert!(serves(&run, Some(&request)));
}
