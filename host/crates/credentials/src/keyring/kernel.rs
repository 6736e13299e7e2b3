//! The names of the kernel's keys. The calls that read a keyring's links are avoided, because they
//! trust the kernel's answer to fit their buffer.

/// What the keyutils store puts around a name: `keyring:NAME@SERVICE`.
const BEFORE: &str = "keyring:";

/// The names of the keys under a service that this process may view, in no order.
pub(super) fn names(service: &str) -> Result<Vec<String>, String> {
    match std::fs::read_to_string("/proc/keys") {
        Ok(keys) => Ok(keys
            .lines()
            .filter_map(|line| name(line, service))
            .map(Into::into)
            .collect()),
        Err(error) => Err(format!("cannot read /proc/keys: {error}")),
    }
}

/// The name in a line of `/proc/keys`: id, flags, uses, timeout, permissions, user, group,
/// type, then description and length (proc(5)).
fn name<'a>(line: &'a str, service: &str) -> Option<&'a str> {
    let mut fields = line.split_whitespace().skip(7);
    if fields.next()? != "user" {
        return None;
    }
    fields
        .next()?
        .strip_suffix(':')?
        .strip_prefix(BEFORE)?
        .strip_suffix(service)?
        .strip_suffix('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_the_service_are_names() {
        let line = |kind: &str, description: &str| {
            format!("0f2a I--Q---     2 perm 3f010000     0     0 {kind:9} {description}: 4")
        };
        for (line, expected) in [
            (
                line("user", "keyring:sales/salt@glovebox"),
                Some("sales/salt"),
            ),
            (line("user", "keyring:sales/salt@other-glovebox"), None),
            (line("user", "keyring:sales/salt@glovebox2"), None),
            (line("user", "sales/salt@glovebox"), None),
            (line("keyring", "keyring:sales/salt@glovebox"), None),
            (String::new(), None),
        ] {
            assert_eq!(name(&line, "glovebox"), expected, "{line}");
        }
    }
}
