//! Stores on other servers: one client and one login a process for each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glovebox_core::{CredentialStore, SecretName};
use glovebox_credentials::Chain;
use glovebox_credentials::remote::aws::{self, Aws};
use glovebox_credentials::remote::azure::{self, Azure, Identity};
use glovebox_credentials::remote::gcp::{self, Gcp};
use glovebox_credentials::remote::vault::transit::{self, Transit};
use glovebox_credentials::remote::vault::{Access, Login, Options, Vault};
use glovebox_credentials::remote::{Lookup, Patience, Remote, Variables};
use glovebox_manifest::model::{self, AzureIdentity, RemoteStore, Store, VaultLogin};

use super::local::{Local, Shared};

/// Those that were opened.
#[derive(Default)]
pub(super) struct Remotes {
    opened: Mutex<Vec<Opened>>,
}

/// A store, the list that it stands in, in which its login is looked up, and what asks it.
struct Opened {
    store: RemoteStore,
    all: Vec<Store>,
    remote: Arc<dyn CredentialStore>,
}

impl Remotes {
    pub(super) fn open(
        &self,
        store: &RemoteStore,
        all: &[Store],
        local: &Local,
    ) -> Box<dyn CredentialStore> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.iter().find(|o| o.store == *store && o.all == all) {
            return Box::new(Shared(Arc::clone(&known.remote)));
        }
        let remote = remote(store, lookup(all, local));
        opened.push(Opened {
            store: store.clone(),
            all: all.to_vec(),
            remote: Arc::clone(&remote),
        });
        Box::new(Shared(remote))
    }
}

/// Looks up what a login needs in the list's stores of this machine.
fn lookup(all: &[Store], local: &Local) -> Lookup {
    let (all, local) = (all.to_vec(), local.clone());
    Arc::new(move |name: &SecretName| {
        let stores = all.iter().filter_map(|store| local.open(store));
        local.account(Chain::new(stores.collect()), name)
    })
}

fn remote(store: &RemoteStore, lookup: Lookup) -> Arc<dyn CredentialStore> {
    match store {
        RemoteStore::Vault(vault) => Arc::new(Remote::new(Vault::new(options(vault, lookup)))),
        RemoteStore::Transit(transit) => Arc::new(Transit::new(transit_options(transit, lookup))),
        RemoteStore::Aws(aws) => Arc::new(Remote::new(Aws::new(aws_options(aws)))),
        RemoteStore::Gcp(gcp) => Arc::new(Remote::new(Gcp::new(gcp_options(gcp)))),
        RemoteStore::Azure(azure) => {
            Arc::new(Remote::new(Azure::new(azure_options(azure, lookup))))
        }
    }
}

fn options(vault: &model::Vault, lookup: Lookup) -> Options {
    Options {
        access: Access {
            address: vault.address.clone(),
            namespace: vault.namespace.clone(),
            ca: vault.ca.clone(),
            login: login(&vault.auth),
            patience: patience(vault.timeout),
            lookup,
        },
        mount: vault.mount.clone(),
        prefix: vault.prefix.clone(),
        field: vault.field.clone(),
    }
}

fn transit_options(transit: &model::Transit, lookup: Lookup) -> transit::Options {
    transit::Options {
        access: Access {
            address: transit.address.clone(),
            namespace: transit.namespace.clone(),
            ca: transit.ca.clone(),
            login: login(&transit.auth),
            patience: patience(transit.timeout),
            lookup,
        },
        mount: transit.mount.clone(),
        prefix: transit.prefix.clone(),
        values: transit.batch,
    }
}

fn aws_options(aws: &model::Aws) -> aws::Options {
    aws::Options {
        region: aws.region.clone(),
        prefix: aws.prefix.clone(),
        field: aws.field.clone(),
        endpoint: aws.endpoint.clone(),
        ca: aws.ca.clone(),
        patience: patience(aws.timeout),
        variables: variables(),
    }
}

fn gcp_options(gcp: &model::Gcp) -> gcp::Options {
    gcp::Options {
        project: gcp.project.clone(),
        prefix: gcp.prefix.clone(),
        key_file: gcp.key_file.clone(),
        endpoint: gcp.endpoint.clone(),
        ca: gcp.ca.clone(),
        patience: patience(gcp.timeout),
        variables: variables(),
    }
}

fn azure_options(azure: &model::Azure, lookup: Lookup) -> azure::Options {
    azure::Options {
        address: azure.address.clone(),
        prefix: azure.prefix.clone(),
        identity: match azure.identity.clone() {
            AzureIdentity::Managed(id) => Identity::Managed(id),
            AzureIdentity::Workload => Identity::Workload,
            AzureIdentity::Client {
                tenant,
                client_id,
                secret,
            } => Identity::Client {
                tenant,
                client_id,
                secret,
            },
        },
        ca: azure.ca.clone(),
        patience: patience(azure.timeout),
        lookup,
        variables: variables(),
    }
}

fn patience(request: Duration) -> Patience {
    Patience {
        request,
        ..Patience::default()
    }
}

fn variables() -> Variables {
    Arc::new(|name| std::env::var(name).ok())
}

fn login(auth: &VaultLogin) -> Login {
    match auth.clone() {
        VaultLogin::Token(secret) => Login::Token(secret),
        VaultLogin::AppRole(role) => Login::AppRole {
            role_id: role.role_id,
            secret_id: role.secret_id,
            mount: role.mount,
        },
        VaultLogin::Kubernetes(login) => Login::Kubernetes {
            role: login.role,
            token_file: login.token_file,
            mount: login.mount,
        },
        VaultLogin::Certificate(login) => Login::Certificate {
            certificate: login.certificate,
            key: login.key,
            role: login.role,
            mount: login.mount,
        },
    }
}
