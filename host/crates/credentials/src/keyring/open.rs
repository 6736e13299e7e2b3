//! Which keyring this machine offers.

#[cfg(target_os = "linux")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glovebox_core::Secret;
use keyring_core::{CredentialStore, Error};

/// The service under which entries are kept.
pub const SERVICE: &str = "glovebox";

/// The most bytes that a key of the kernel's `user` type holds (keyrings(7)).
const KERNEL_MAX_BYTES: usize = 32_767;

/// A keyring that answered.
pub(super) struct Opened {
    pub(super) name: &'static str,
    pub(super) store: Arc<CredentialStore>,
    /// Of the kernel's keyring: why it is not the Secret Service.
    pub(super) instead: Option<String>,
}

impl Opened {
    pub(super) fn in_kernel(&self) -> bool {
        self.instead.is_some()
    }

    /// The name and what whoever stores something there should know.
    pub(super) fn describe(&self) -> String {
        let name = self.name;
        match &self.instead {
            None => name.into(),
            Some(instead) => format!(
                "{name}, in memory: lost at reboot, or after days without use (Secret Service: \
                 {instead})"
            ),
        }
    }

    pub(super) fn too_long(&self, secret: &Secret) -> Option<String> {
        (self.in_kernel() && secret.expose().len() > KERNEL_MAX_BYTES)
            .then(|| format!("it holds at most {KERNEL_MAX_BYTES} bytes a secret"))
    }
}

/// The Secret Service if it answers within the limit, else the kernel, else why neither.
#[cfg(target_os = "linux")]
pub(super) fn open(limit: Duration) -> Result<Opened, String> {
    let instead = match secret_service(limit) {
        Ok(store) => {
            return Ok(Opened {
                name: "the Secret Service",
                store,
                instead: None,
            });
        }
        Err(why) => why,
    };
    match keyutils() {
        Ok(store) => Ok(Opened {
            name: "kernel keyutils",
            store,
            instead: Some(instead),
        }),
        Err(why) => Err(format!("Secret Service: {instead}; kernel keyutils: {why}")),
    }
}

/// The user's Keychain.
#[cfg(target_os = "macos")]
pub(super) fn open(_: Duration) -> Result<Opened, String> {
    Ok(Opened {
        name: "the Keychain",
        store: apple_native_keyring_store::keychain::Store::new().map_err(|e| sentence(&e))?,
        instead: None,
    })
}

/// The user's credentials, under names that tell service and user apart whatever they hold.
#[cfg(windows)]
pub(super) fn open(_: Duration) -> Result<Opened, String> {
    let names = [
        ("prefix", "keyring:"),
        ("divider", "@"),
        ("service_no_divider", "true"),
    ];
    let store = windows_native_keyring_store::Store::new_with_configuration(&names.into());
    Ok(Opened {
        name: "the Credential Manager",
        store: store.map_err(|e| sentence(&e))?,
        instead: None,
    })
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub(super) fn open(_: Duration) -> Result<Opened, String> {
    Err("this system's keyring is not built in".into())
}

#[cfg(target_os = "linux")]
fn secret_service(limit: Duration) -> Result<Arc<CredentialStore>, String> {
    use super::deadline::{NoAnswer, within};

    if !session_is_announced() {
        return Err("no D-Bus session".into());
    }
    match within(limit, zbus_secret_service_keyring_store::Store::new) {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(error)) => Err(sentence(&error)),
        Err(NoAnswer::Late(limit)) => Err(format!(
            "the D-Bus session did not answer within {} s",
            limit.as_secs_f32()
        )),
        Err(none) => Err(none.to_string()),
    }
}

/// Whether there is an address to connect to, by the rules that zbus follows too.
#[cfg(target_os = "linux")]
fn session_is_announced() -> bool {
    if let Some(address) = std::env::var_os("DBUS_SESSION_BUS_ADDRESS") {
        return !address.is_empty();
    }
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(
        || format!("/run/user/{}", rustix::process::geteuid().as_raw()).into(),
        PathBuf::from,
    );
    folder.join("bus").exists()
}

/// The kernel's keyrings, if they may be used: seccomp profiles of containers often forbid it.
#[cfg(target_os = "linux")]
fn keyutils() -> Result<Arc<CredentialStore>, String> {
    let store: Arc<CredentialStore> =
        linux_keyutils_keyring_store::Store::new().map_err(|e| sentence(&e))?;
    // Building an entry looks the session's keyring up and changes nothing.
    match store.build(SERVICE, "probe", None) {
        Ok(_) => Ok(store),
        Err(Error::NoStorageAccess(said)) => Err(format!(
            "the kernel does not permit it here, as is usual in containers ({said})"
        )),
        Err(error) => Err(sentence(&error)),
    }
}

/// What a store said, by variant: some carry an entry's bytes, which stay out.
pub(super) fn sentence(error: &Error) -> String {
    match error {
        Error::PlatformFailure(said) => said.to_string(),
        Error::NoStorageAccess(said) => format!("access denied ({said}); it may be locked"),
        Error::NoEntry => "there is no such entry".into(),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "the entry is malformed".into(),
        Error::BadStoreFormat(_) => "the store is malformed".into(),
        Error::TooLong(what, most) => format!("its {what} is longer than {most}"),
        Error::Invalid(what, why) => format!("its {what} is invalid: {why}"),
        Error::Ambiguous(entries) => format!(
            "{} entries have that name; delete all but one with the desktop's keyring application",
            entries.len()
        ),
        Error::NoDefaultStore => "no store was chosen".into(),
        Error::NotSupportedByStore(what) => format!("not supported: {what}"),
        _ => "it failed without giving a reason".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_never_holds_an_entrys_bytes() {
        let canary = b"canary-99".to_vec();
        for error in [
            Error::BadEncoding(canary.clone()),
            Error::BadDataFormat(canary.clone(), "canary-99".into()),
        ] {
            assert_eq!(sentence(&error), "the entry is malformed");
        }
    }
}
