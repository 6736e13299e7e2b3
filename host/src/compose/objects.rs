//! Stores of objects, of what a manifest says of them.

use std::sync::Arc;

use glovebox_connectors::outlet::Target;
use glovebox_core::{ObjectStore, Secret};
use glovebox_manifest::model::{Place, Source, StoreAccess};

#[cfg(not(feature = "objects"))]
use crate::without;

/// The store of a source's objects; none where it reads none.
pub(super) fn of_source(
    source: &Source,
    key: Option<Secret>,
) -> Result<Option<Arc<dyn ObjectStore>>, String> {
    match source.object() {
        None => Ok(None),
        Some(_) => opened(source.store(), key).map(Some),
    }
}

/// Where a sink writes.
pub(super) fn target(
    place: &Place,
    access: Option<&StoreAccess>,
    key: Option<Secret>,
) -> Result<Target, String> {
    Ok(match place {
        Place::File(path) => Target::File(path.value.clone()),
        Place::Object(url) => Target::Object(url.value.clone(), opened(access, key)?),
    })
}

#[cfg(feature = "objects")]
fn opened(
    access: Option<&StoreAccess>,
    key: Option<Secret>,
) -> Result<Arc<dyn ObjectStore>, String> {
    use glovebox_objects::{Access, Stores};

    let mut reached = Access {
        key,
        ..Access::default()
    };
    if let Some(said) = access {
        reached.endpoint.clone_from(&said.endpoint);
        reached.region.clone_from(&said.region);
        reached.account.clone_from(&said.account);
        reached.key_id.clone_from(&said.access_key_id);
        reached.anonymous = said.anonymous;
        if let Some(path) = &said.ca {
            let pem = glovebox_files::bounded::read(path, MAX_CA);
            let pem = pem.map_err(|e| {
                format!(
                    "the file `{}` of `tls:` cannot be read: {e}",
                    path.display()
                )
            })?;
            reached.authorities = Some(pem);
        }
    }
    let stores = Stores::new(reached).map_err(|problem| format!("the store {problem}"))?;
    Ok(Arc::new(stores))
}

/// Bytes of a file of authorities.
#[cfg(feature = "objects")]
const MAX_CA: u64 = 1 << 20;

#[cfg(not(feature = "objects"))]
fn opened(_: Option<&StoreAccess>, _: Option<Secret>) -> Result<Arc<dyn ObjectStore>, String> {
    Err(without::OBJECTS.refusal())
}
