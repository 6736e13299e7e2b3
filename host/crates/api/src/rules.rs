//! Who may call what: the table of roles and routes. A request that no rule covers is refused.

use std::collections::BTreeMap;

use poem::http::Method;

/// What a role may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permission {
    /// Read datasets; each says to which roles it shows what.
    Data,
    /// See pipelines and runs.
    Watch,
    /// Start, cancel and re-run.
    Run,
    /// Have encrypted values given back.
    Reveal,
    /// Manage users.
    Users,
    /// Read the audit log.
    Audit,
    /// Read metrics.
    Metrics,
}

impl Permission {
    const ALL: [(Permission, &'static str); 7] = [
        (Permission::Data, "data"),
        (Permission::Watch, "watch"),
        (Permission::Run, "run"),
        (Permission::Reveal, "reveal"),
        (Permission::Users, "users"),
        (Permission::Audit, "audit"),
        (Permission::Metrics, "metrics"),
    ];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, w)| *w == word).map(|(p, _)| *p)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(p, _)| *p == self)
            .map_or("", |(_, w)| w)
    }

    pub(crate) fn words() -> Vec<&'static str> {
        Self::ALL.iter().map(|(_, w)| *w).collect()
    }
}

/// The roles that are there without a configuration.
pub(crate) fn built_in() -> BTreeMap<String, Vec<Permission>> {
    use Permission::{Audit, Data, Metrics, Reveal, Run, Users, Watch};
    [
        ("admin", vec![Data, Watch, Run, Users, Audit, Metrics]),
        ("operator", vec![Watch, Run, Metrics]),
        ("analyst", vec![Data, Watch]),
        ("auditor", vec![Watch, Audit]),
        ("officer", vec![Watch, Reveal]),
    ]
    .map(|(role, may)| (role.to_owned(), may))
    .into()
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Everybody.
    Public,
    /// Everybody, and with a token or key one sees what one's roles may see of it.
    Described,
    /// Everybody who is somebody, by token or key.
    SignedIn,
    /// Everybody who is logged in with a session; an API key is not.
    LoggedIn,
    /// The same, whose password was given a moment ago, and who has this if it is named: what
    /// outlives a login, or is about somebody else's.
    JustLoggedIn(Option<Permission>),
    /// Everybody with a role that has this.
    Needs(Permission),
}

/// A route and its rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// A path; a part in braces stands for any one part.
    pub(crate) path: &'static str,
    pub(crate) rule: Rule,
    /// Statuses of errors beside those that the rule, the path and a body bring along.
    pub(crate) errors: &'static [u16],
}

const fn route(method: &'static str, path: &'static str, rule: Rule) -> Route {
    Route {
        method,
        path,
        rule,
        errors: &[],
    }
}

impl Route {
    const fn errors(self, errors: &'static [u16]) -> Route {
        Route { errors, ..self }
    }
}

/// Whose body may be long: its handler reads it as it comes, and bounds it itself.
pub(crate) const UPLOADS: &str = "/pipelines/{name}/uploads";

/// Whoever changes what users have and may.
const MANAGES: Rule = Rule::JustLoggedIn(Some(Permission::Users));

/// Every route but those of datasets, which are `GET /NAME` and need [`Permission::Data`].
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/token", Rule::Public),
    route("POST", "/logout", Rule::LoggedIn),
    route("GET", "/me", Rule::SignedIn),
    route("GET", "/keys", Rule::SignedIn),
    route("POST", "/keys", Rule::JustLoggedIn(None)),
    route("DELETE", "/keys/{id}", Rule::LoggedIn),
    route("GET", "/users", Rule::Needs(Permission::Users)),
    route("POST", "/users", MANAGES).errors(&[409]),
    route("GET", "/users/{name}", Rule::Needs(Permission::Users)),
    route("PATCH", "/users/{name}", MANAGES).errors(&[409]),
    route("DELETE", "/users/{name}/sessions", MANAGES),
    route("GET", "/users/{name}/keys", Rule::Needs(Permission::Users)),
    route("DELETE", "/users/{name}/keys", MANAGES),
    route("DELETE", "/users/{name}/keys/{id}", MANAGES),
    route("GET", "/datasets", Rule::Needs(Permission::Data)),
    route("GET", "/pipelines", Rule::Needs(Permission::Watch)),
    route(
        "POST",
        "/pipelines/{name}/runs",
        Rule::Needs(Permission::Run),
    )
    .errors(&[422]),
    route("POST", UPLOADS, Rule::Needs(Permission::Run)).errors(&[409]),
    route(
        "POST",
        "/pipelines/{name}/reveal",
        Rule::JustLoggedIn(Some(Permission::Reveal)),
    ),
    route("GET", "/runs", Rule::Needs(Permission::Watch)),
    route("GET", "/runs/{id}", Rule::Needs(Permission::Watch)),
    route("GET", "/runs/{id}/events", Rule::Needs(Permission::Watch)),
    route("POST", "/runs/{id}/cancel", Rule::Needs(Permission::Run)),
    route("GET", "/runs/{id}/report", Rule::Needs(Permission::Watch)),
    route("GET", "/runs/{id}/rejects", Rule::Needs(Permission::Watch)),
    route("GET", "/runs/{id}/proof", Rule::Needs(Permission::Audit)),
    route("GET", "/runs/{id}/explain", Rule::Needs(Permission::Audit)).errors(&[422]),
    route(
        "POST",
        "/runs/{id}/rejects/runs",
        Rule::Needs(Permission::Run),
    )
    .errors(&[409, 422]),
    route("GET", "/metrics", Rule::Needs(Permission::Metrics)),
    route("GET", "/healthz", Rule::Public),
    route("GET", "/readyz", Rule::Public),
    route("GET", "/.well-known/jwks.json", Rule::Public),
    route("GET", "/openapi.json", Rule::Described),
    route("GET", "/docs", Rule::Described),
];

/// The rule of every dataset.
pub(crate) const DATASET: Rule = Rule::Needs(Permission::Data);
/// The route of every dataset.
pub(crate) const DATASETS: Route = route("GET", NO_DATASET, DATASET).errors(&[404, 406]);

/// Words that later routes may want for themselves.
const RESERVED: &[&str] = &[
    "pipelines",
    "runs",
    "uploads",
    "rejects",
    "audit",
    "console",
];

/// The pattern of a path at which a dataset might be and none is. To whoever may not see a dataset
/// that is there, its path is answered like this one.
pub(crate) const NO_DATASET: &str = "/{dataset}";

/// Whether a dataset could have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(word)
}

/// Whether a dataset of that name would hide a route.
pub(crate) fn is_taken(name: &str) -> bool {
    let first = |r: &Route| r.path.split('/').nth(1) == Some(name);
    ROUTES.iter().any(first) || RESERVED.contains(&name)
}

/// What became of looking for a route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'d> {
    /// This one; datasets by name.
    Rule {
        rule: Rule,
        pattern: &'d str,
    },
    /// The path is there, for these methods.
    OtherMethods(Vec<&'static str>),
    Nothing,
}

/// The rule for a request; `datasets` are paths.
pub(crate) fn find<'d>(method: &Method, path: &str, datasets: &'d [String]) -> Found<'d> {
    if path
        .strip_prefix('/')
        .is_some_and(|n| is_name(n) && !is_taken(n))
    {
        let there = datasets.iter().find(|d| *d == path);
        return if *method == Method::GET {
            Found::Rule {
                rule: DATASET,
                pattern: there.map_or(NO_DATASET, |p| p),
            }
        } else {
            Found::OtherMethods(vec!["GET", "HEAD"])
        };
    }
    let mut others = Vec::new();
    for route in ROUTES.iter().filter(|r| matches(r.path, path)) {
        if route.method == method.as_str() {
            return Found::Rule {
                rule: route.rule,
                pattern: route.path,
            };
        }
        others.push(route.method);
    }
    if others.contains(&"GET") {
        others.push("HEAD");
    }
    match others.is_empty() {
        true => Found::Nothing,
        false => Found::OtherMethods(others),
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut ours, mut theirs) = (pattern.split('/'), path.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(p), Some(t)) if p.starts_with('{') => {
                if t.is_empty() {
                    return false;
                }
            }
            (Some(p), Some(t)) if p == t => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_rule_of_its_pattern_and_no_other() {
        let datasets = ["/sales".to_owned()];
        let found = |method: &str, path: &str| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            match find(&method, path, &datasets) {
                Found::Rule { rule, .. } => format!("{rule:?}"),
                Found::OtherMethods(methods) => methods.join(","),
                Found::Nothing => "nothing".into(),
            }
        };
        assert_eq!(found("POST", "/token"), "Public");
        assert_eq!(found("GET", "/token"), "POST");
        assert_eq!(found("GET", "/sales"), "Needs(Data)");
        assert_eq!(found("DELETE", "/sales"), "GET,HEAD");
        // Nobody is told by this which datasets there are.
        assert_eq!(found("GET", "/nothing"), "Needs(Data)");
        assert_eq!(found("DELETE", "/nothing"), "GET,HEAD");
        assert_eq!(found("GET", "/users/ada"), "Needs(Users)");
        for path in [
            "/users/ada/x",
            "/users/",
            "/Nothing",
            "/",
            "//sales",
            "/sales/",
        ] {
            assert_eq!(found("GET", path), "nothing", "{path}");
        }
    }

    #[test]
    fn no_dataset_may_hide_a_route() {
        for name in ["token", "users", "docs", "runs", "metrics"] {
            assert!(is_taken(name), "{name}");
        }
        assert!(!is_taken("sales"));
    }

    #[test]
    fn permissions_have_one_word_each() {
        for word in Permission::words() {
            assert_eq!(Permission::parse(word).unwrap().word(), word);
        }
    }
}
