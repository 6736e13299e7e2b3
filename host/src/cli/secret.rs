//! `glovebox secret`: the operating system's keyring from the command line.
//!
//! Refuses one given as an argument, since arguments stand in the shell's history and in every
//! process list.

use std::convert::Infallible;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::str::FromStr;

use anyhow::{Context, anyhow, ensure};
use clap::Subcommand;
use glovebox_core::{InvalidSecretName, Secret as Bytes, SecretName};
use glovebox_credentials::files::{MAX_BYTES, read_secret};
use glovebox_credentials::{Keyring, generate as generated};

use super::Exit;

/// Manage secrets in the operating system's keyring
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Store a secret, typed at a prompt or piped into standard input
    Set {
        /// The secret's name, such as sales/customer-salt
        name: Name,
        /// Generate and store 32 random bytes as base64, without showing them
        #[arg(long)]
        generate: bool,
        /// Replace an existing secret; masks made with the old one cannot be joined with new ones
        #[arg(long)]
        replace: bool,
        #[arg(hide = true, allow_hyphen_values = true, num_args = 0..)]
        argument: Vec<Withheld>,
    },
    /// List the names of stored secrets, never their values
    List,
    /// Delete a secret
    Delete {
        /// Its name
        name: Name,
    },
}

/// A name, or that it is none. Refused by `run` and not by clap, which would repeat it, and it
/// may be the secret.
#[derive(Debug, Clone)]
struct Name(Result<SecretName, InvalidSecretName>);

impl FromStr for Name {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Name(SecretName::parse(name)))
    }
}

/// An argument that may be a secret: counted, not kept, so that no message can repeat it.
#[derive(Debug, Clone)]
struct Withheld;

impl FromStr for Withheld {
    type Err = Infallible;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Withheld)
    }
}

/// Does it, and says on standard output what was done.
pub(super) fn secret(args: Args) -> anyhow::Result<Exit> {
    let keyring = Keyring::new();
    match args.action {
        Action::Set {
            name,
            generate,
            replace,
            argument,
        } => {
            ensure!(
                argument.is_empty(),
                "a secret is never an argument, since the shell's history would keep it. If you \
                have just passed a real one, choose another; then run `glovebox secret set NAME` \
                and type it at the prompt, or pipe it in"
            );
            let name = name.0?;
            if !replace {
                is_new(&keyring, &name)?;
            }
            let store = match generate {
                true => keyring.set(&name, &generated()?)?,
                false => keyring.set(&name, &asked_for(&name)?)?,
            };
            println!("stored `{name}` in {store}");
        }
        Action::List => {
            for name in keyring.list()? {
                println!("{name}");
            }
        }
        Action::Delete { name } => {
            let name = name.0?;
            ensure!(
                keyring.delete(&name)?,
                "there is no `{name}` in {}; `glovebox secret list` shows all names",
                keyring.name()?
            );
            println!("deleted `{name}` from {}", keyring.name()?);
        }
    }
    Ok(Exit::Done)
}

/// Refuses to replace unasked: whatever was masked under the old secret cannot be matched again.
fn is_new(keyring: &Keyring, name: &SecretName) -> anyhow::Result<()> {
    ensure!(
        !keyring.list()?.contains(name),
        "`{name}` already exists; nothing was stored. If it is a mask key, data masked with the \
        old key cannot be joined with data masked with a new one; to replace it anyway: glovebox \
        secret set {name} --replace"
    );
    Ok(())
}

fn asked_for(name: &SecretName) -> anyhow::Result<Bytes> {
    if io::stdin().is_terminal() {
        let typed = prompt(&format!("secret for {name}: "))?;
        let again = prompt("again: ")?;
        ensure!(
            typed.expose() == again.expose(),
            "the two differ; nothing was stored"
        );
        Ok(typed)
    } else {
        piped(io::stdin().lock())
    }
}

fn prompt(text: &str) -> anyhow::Result<Bytes> {
    rpassword::prompt_password(text)
        .map(|typed| Bytes::new(typed.into_bytes()))
        .context("cannot read from the terminal; pipe the secret in instead")
}

fn piped(input: impl Read) -> anyhow::Result<Bytes> {
    read_secret(input).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => {
            anyhow!("standard input has more than {MAX_BYTES} bytes; a secret must be shorter")
        }
        _ => anyhow!("cannot read the secret from standard input: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const CANARY: &str = "canary-3e7d";

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn run(arguments: &[&str]) -> String {
        let line = Line::try_parse_from([&["secret"], arguments].concat());
        let line = line.unwrap();
        assert!(!format!("{line:?}").contains(CANARY));
        format!("{:#}", secret(line.args).unwrap_err())
    }

    #[test]
    fn a_pipe_is_read_to_its_end_less_one_newline() {
        for (input, secret) in [
            ("a\n", "a"),
            ("a", "a"),
            ("a\nb\r\n", "a\nb"),
            ("\n\n", "\n"),
        ] {
            assert_eq!(piped(input.as_bytes()).unwrap().expose(), secret.as_bytes());
        }
    }

    #[test]
    fn a_pipe_longer_than_the_limit_is_refused() {
        let most = usize::try_from(MAX_BYTES).unwrap();
        assert!(piped(&*vec![b'x'; most]).is_ok());
        let told = piped(&*vec![b'x'; most + 1]).unwrap_err().to_string();
        assert_eq!(
            told,
            "standard input has more than 65536 bytes; a secret must be shorter"
        );
    }

    #[test]
    fn a_secret_given_as_an_argument_is_refused_and_not_repeated() {
        for arguments in [
            &["set", "salt", CANARY][..],
            &["set", "salt", "--", CANARY],
            &["set", "salt", "two", CANARY],
            &["set", "salt", "--canary-3e7d"],
            &["set", "salt", "--generate", CANARY],
        ] {
            let told = run(arguments);
            assert!(told.starts_with("a secret is never an argument"), "{told}");
            assert!(!told.contains(CANARY));
        }
    }

    #[test]
    fn generate_is_an_option_wherever_it_stands() {
        for arguments in [["set", "--generate", "salt"], ["set", "salt", "--generate"]] {
            let line = Line::try_parse_from([&["secret"], &arguments[..]].concat()).unwrap();
            let Action::Set {
                generate, argument, ..
            } = line.args.action
            else {
                panic!("not set");
            };
            assert!(generate && argument.is_empty());
        }
    }

    #[test]
    fn a_bad_name_is_refused_and_not_repeated() {
        for arguments in [&["set", "canary-3e7d!"][..], &["delete", "canary-3e7d!"]] {
            let told = run(arguments);
            assert!(told.starts_with("a secret's name is 1 to 128"), "{told}");
            assert!(!told.contains(CANARY));
        }
    }
}
