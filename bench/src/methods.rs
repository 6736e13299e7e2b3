//! Masks that can be undone, keep their form or are chosen: values a second on one core, by us and, in
//! turns of the same run, by Python's usual packages.

use std::hint::black_box;
use std::num::NonZeroU64;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use glovebox_core::TokenTerms;
use glovebox_masking::methods::{
    AesSiv, Alphabet, Choice, Fernet, FernetBuffer, Form, FormBuffer, FormCipher, IntegerCipher,
    Opener, Random, RsaSealer, SealContext, Sealer, Shift, Tokenizer,
};

use crate::median;

const TURNS: usize = 7;
const KEY: [u8; 32] = [7; 32];
const DOMAIN: &str = "customer-id";
const TOKENS_A_BATCH: usize = 8_192;

/// What is measured, how many values a turn takes, and what it is compared with.
struct Method {
    name: &'static str,
    values: usize,
    work: Work,
    /// The name that Python's script gives its counterpart.
    peer: Option<&'static str>,
    goal: &'static str,
}

type Work = Box<dyn FnMut(&str) -> anyhow::Result<()>>;

pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let mut methods = [undone()?, sealed()?, tokens()?, chosen()?]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let numbers = 100_000_000..;
    let values: Vec<String> = numbers
        .step_by(7_919)
        .take(methods.iter().map(|m| m.values).max().unwrap_or(0))
        .map(|number: u32| number.to_string())
        .collect();
    let mut ours = vec![Vec::new(); methods.len()];
    let mut theirs: Vec<Vec<(String, f64)>> = Vec::new();
    for _ in 0..TURNS {
        for (method, rates) in methods.iter_mut().zip(&mut ours) {
            let started = Instant::now();
            for value in values.iter().take(method.values) {
                (method.work)(value)?;
            }
            rates.push(method.values as f64 / started.elapsed().as_secs_f64());
        }
        theirs.push(python()?);
    }
    let rows = methods.iter().zip(&ours).map(|(method, ours)| {
        let peer = method.peer.map(|peer| (peer, rates_of(&theirs, peer)));
        row(method, ours, peer)
    });
    Ok(rows.collect())
}

/// Those that their key undoes.
fn undone() -> anyhow::Result<Vec<Method>> {
    let form = |first, last, luhn| {
        let form = Form::new(Alphabet::new("0123456789")?, first, last, luhn)?;
        anyhow::Ok(FormCipher::new(&KEY, form)?)
    };
    let tweak = [DOMAIN, "id"].concat().into_bytes();
    let mut siv = AesSiv::new(&[KEY, KEY].concat())?;
    let mut mask = Vec::new();
    let siv: Work = Box::new(move |value| {
        mask.clear();
        siv.encrypt(&[DOMAIN.as_bytes()], value.as_bytes(), &mut mask)?;
        black_box(&mask);
        Ok(())
    });
    let (digits, mut buffer, of_digits) =
        (form(0, 0, false)?, FormBuffer::default(), tweak.clone());
    let ff1: Work = Box::new(move |value| {
        black_box(digits.encrypt(&of_digits, value, &mut buffer)?);
        Ok(())
    });
    let integers = IntegerCipher::new(&KEY)?;
    let integers: Work = Box::new(move |value| {
        black_box(integers.encrypt_i64(&tweak, value.parse()?)?);
        Ok(())
    });
    let (fernet, mut random) = (Fernet::new(&KEY)?, Random::new()?);
    let mut buffer = FernetBuffer::default();
    let fernet: Work = Box::new(move |value| {
        black_box(fernet.encrypt(&mut random, 1_700_000_000, value.as_bytes(), &mut buffer)?);
        Ok(())
    });
    Ok(vec![
        method(
            "AES-SIV, 512-bit key",
            200_000,
            siv,
            Some("AESSIV"),
            "1,000,000",
        ),
        method("FF1, 9 digits", 200_000, ff1, Some("ff3"), "400,000"),
        method("FF1, int64 of 9 digits", 200_000, integers, None, ""),
        method(
            "Fernet",
            200_000,
            fernet,
            Some("Fernet"),
            "500,000, and 8 × Python",
        ),
    ])
}

/// Those that only a recipient undoes.
fn sealed() -> anyhow::Result<Vec<Method>> {
    let sealer = Sealer::new(&Opener::new(&KEY)?.public_key())?;
    let mut random = Random::new()?;
    let mut context = sealer.context(&mut random)?;
    let mut sealed = Vec::new();
    let mut encrypt = move |context: &mut SealContext, value: &str| {
        sealed.clear();
        context.encrypt(DOMAIN.as_bytes(), value.as_bytes(), &mut sealed)?;
        black_box(&sealed);
        anyhow::Ok(())
    };
    let mut encrypt_alone = encrypt.clone();
    let in_context: Work = Box::new(move |value| encrypt(&mut context, value));
    let alone: Work =
        Box::new(move |value| encrypt_alone(&mut sealer.context(&mut random)?, value));
    let (rsa, mut random) = (RsaSealer::new(RSA.as_bytes())?, Random::new()?);
    let rsa: Work = Box::new(move |value| {
        let mut sealed = Vec::new();
        rsa.encrypt(&mut random, value.as_bytes(), &mut sealed)?;
        black_box(sealed);
        Ok(())
    });
    Ok(vec![
        method(
            "seal, in a context",
            200_000,
            in_context,
            Some("hpke"),
            "250,000",
        ),
        method("seal, a context a value", 500, alone, Some("hpke"), ""),
        method("RSA-OAEP, 2048 bits", 500, rsa, Some("RSA-OAEP"), ""),
    ])
}

/// Those that two officers undo, of values that are new, and of one that the batch has had before.
fn tokens() -> anyhow::Result<Vec<Method>> {
    let officer = |key: u8| Sealer::new(&Opener::new(&[key; 32])?.public_key());
    let terms = TokenTerms {
        officers: Default::default(),
        expires: None,
        uses: None,
    };
    // For as long as the program runs, as a ring is.
    let tokenizer = Tokenizer::new(1, &KEY, DOMAIN, [officer(1)?, officer(2)?], &terms)?;
    let tokenizer: &'static Tokenizer = Box::leak(Box::new(tokenizer));
    let mut out = Vec::new();
    let (mut session, mut taken) = (tokenizer.session()?, 0);
    let new: Work = Box::new(move |value| {
        if taken % TOKENS_A_BATCH == 0 {
            let before = std::mem::replace(&mut session, tokenizer.session()?);
            black_box(before.into_batch());
        }
        taken += 1;
        out.clear();
        session.mask(value.as_bytes(), &mut out)?;
        black_box(&out);
        Ok(())
    });
    let (mut session, mut out) = (tokenizer.session()?, Vec::new());
    let known: Work = Box::new(move |value| {
        out.clear();
        session.mask(value.get(..1).unwrap_or(value).as_bytes(), &mut out)?;
        black_box(&out);
        Ok(())
    });
    Ok(vec![
        method("token, new", 200_000, new, None, "50,000 into PostgreSQL"),
        method("token, known in the batch", 500_000, known, None, "500,000"),
    ])
}

/// Those that nothing undoes but the same key.
fn chosen() -> anyhow::Result<Vec<Method>> {
    let choice = Choice::new(&KEY, DOMAIN)?;
    let names = NonZeroU64::new(5_000).context("a list of names")?;
    let pick: Work = Box::new(move |value| {
        black_box(choice.pick(value.as_bytes(), names));
        Ok(())
    });
    let shift = Shift::new(&KEY, DOMAIN, 365)?;
    let shift: Work = Box::new(move |value| {
        black_box(shift.offset(value.as_bytes()).date(19_000)?);
        Ok(())
    });
    Ok(vec![
        method("pick", 500_000, pick, Some("Faker"), "2,000,000"),
        method("shift", 500_000, shift, None, ""),
    ])
}

fn method(
    name: &'static str,
    values: usize,
    work: Work,
    peer: Option<&'static str>,
    goal: &'static str,
) -> Method {
    Method {
        name,
        values,
        work,
        peer,
        goal,
    }
}

/// A turn of Python: what it measured, and values a second.
fn python() -> anyhow::Result<Vec<(String, f64)>> {
    let python = std::env::var_os("GLOVEBOX_MASKS")
        .context("Python's packages are missing; run `cargo xtask bench methods`")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/methods.py");
    let output = Command::new(python).arg(script).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "peers/methods.py: {stderr}");
    let stdout = String::from_utf8(output.stdout)?;
    let lines = stdout.lines().map(|line| {
        let (name, rate) = line
            .split_once(' ')
            .context("a line of a name and a rate")?;
        Ok((name.to_owned(), rate.parse()?))
    });
    lines.collect()
}

fn rates_of(turns: &[Vec<(String, f64)>], peer: &str) -> Vec<f64> {
    let all = turns.iter().flatten();
    all.filter(|(name, _)| name == peer)
        .map(|(_, rate)| *rate)
        .collect()
}

fn row(method: &Method, ours: &[f64], peer: Option<(&str, Vec<f64>)>) -> String {
    let best = ours.iter().copied().fold(0.0, f64::max);
    let compared = peer.map_or_else(String::new, |(peer, rates)| {
        let ratio = ours.iter().zip(&rates).map(|(a, b)| a / b).collect();
        let theirs = median(rates);
        format!("; {:.1} × Python's {peer} ({theirs:.0})", median(ratio))
    });
    format!(
        "| {} | {:.0} values/s (best {best:.0}){compared} | {} |",
        method.name,
        median(ours.to_vec()),
        method.goal
    )
}

/// A public key of nobody: its private half was thrown away.
const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuzrrQOOdFITj1sQxEwBb
BGXhyT4PKzbhrv7KnSC67aMB8wiJOTTxTbkNRx2QqQdc+EMuRUbMlseqKPGnzOQR
1Wc/odhIQaEyX9rohPFPE2MlhFdOKPcTt4evLN9vzHbAIy6dSNaEFmrK7HG51Tn6
hKZnFjh0+SUVqoN2gpp6n6hBohXdkaZ/hQvfg55vepFlCmtE3u/q6LlPDrf2Z68l
xnMUk32Yzb9cD/MhvGCe8xt4QnT7nrHjT3T6ylXXO8BlBY/rAA7kAvD1rT/dHhUj
KL6fO1UajmQIetLaDvKGFDowwqfYy/oTVqoTNRIL5U0mjq0Bxa3ak/1RbIqAS6c7
0wIDAQAB
-----END PUBLIC KEY-----";
