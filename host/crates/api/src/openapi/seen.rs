//! Tailors the description to the caller: the public part without a token; with one, what its roles
//! may call and see.
//! Schemas that are no longer referenced are removed, since they may name what only others see.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::caller::Principal;
use super::super::described::Described;
use super::super::rules::Rule;
use super::super::state::Api;
use super::{Sight, document, page, route};

/// What everybody may see of a server under that address.
pub(crate) fn public(routes: &Value, url: &str) -> Described {
    let may = |rule| matches!(rule, Rule::Public | Rule::Described);
    described(routes, &Sight::default(), url, may)
}

/// What somebody may call and see.
pub(crate) fn seen_by(api: &Api, principal: &Principal) -> Arc<Described> {
    let roles = &principal.user.roles;
    let seen = (roles.to_string(), principal.login.is_some());
    api.described.seen(seen, || {
        // A login of a moment ago is theirs to have.
        let may = |rule| principal.passes(rule, Duration::MAX).is_ok();
        let datasets = api.datasets.iter();
        let sight = Sight {
            datasets: datasets.filter_map(|d| Some((d, d.view(roles)?))).collect(),
            roles: api.config.roles.keys().map(String::as_str).collect(),
            own: roles.iter().collect(),
        };
        described(&api.described.routes, &sight, &api.described.url, may)
    })
}

fn described(
    routes: &Value,
    sight: &Sight<'_>,
    url: &str,
    may: impl Fn(Rule) -> bool,
) -> Described {
    let mut document = document(routes, sight, url);
    let datasets: Vec<String> = sight.datasets.iter().map(|(d, _)| d.path.clone()).collect();
    only(&mut document, |path, method| {
        route(path, method, &datasets).is_some_and(|route| may(route.rule))
    });
    Described {
        html: page::html(&document),
        json: format!("{document:#}"),
    }
}

/// Takes every other operation away, and what only they refer to.
fn only(document: &mut Value, keeps: impl Fn(&str, &str) -> bool) {
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths.iter_mut() {
            if let Some(item) = item.as_object_mut() {
                item.retain(|method, _| keeps(path, method));
            }
        }
        paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
    }
    let mut found = BTreeSet::new();
    let mut look = vec![document["paths"].clone()];
    while let Some(part) = look.pop() {
        let mut places = Vec::new();
        references(&part, &mut places);
        for place in places {
            if let Some(named) = document.pointer(&place) {
                if !found.contains(&place) {
                    look.push(named.clone());
                }
                found.insert(place);
            }
        }
    }
    for kind in ["schemas", "examples"] {
        if let Some(parts) = document["components"][kind].as_object_mut() {
            parts.retain(|name, _| found.contains(&format!("/components/{kind}/{name}")));
        }
    }
    let mut tags = BTreeSet::new();
    for item in document["paths"].as_object().into_iter().flatten() {
        for operation in item.1.as_object().into_iter().flatten() {
            let named = operation.1["tags"].as_array().into_iter().flatten();
            tags.extend(named.filter_map(Value::as_str).map(str::to_owned));
        }
    }
    if let Some(all) = document["tags"].as_array_mut() {
        all.retain(|tag| tag["name"].as_str().is_some_and(|name| tags.contains(name)));
    }
}

/// The places that a part refers to, as JSON pointers.
fn references(part: &Value, places: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            if let Some(place) = members.get("$ref").and_then(Value::as_str) {
                places.extend(place.strip_prefix('#').map(str::to_owned));
            }
            members.values().for_each(|v| references(v, places));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, places)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_part_names_no_role_and_no_route_of_others() {
        let described = public(&super::super::tests::routes(), "http://here");
        let document: Value = serde_json::from_str(&described.json).unwrap();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(
            paths,
            [
                "/.well-known/jwks.json",
                "/docs",
                "/healthz",
                "/openapi.json",
                "/readyz",
                "/token"
            ]
        );
        let schemas: Vec<_> = document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(
            schemas,
            ["OAuthError", "Problem", "TokenReply", "TokenRequest"]
        );
        for word in ["NewUser", "permissions", "Idempotency", "rejects"] {
            assert!(
                !described.json.contains(word) && !described.html.contains(word),
                "{word}"
            );
        }
        // What is left refers to nothing that is gone.
        let mut places = Vec::new();
        references(&document, &mut places);
        for place in places {
            assert!(document.pointer(&place).is_some(), "{place}");
        }
    }
}
