//! A compiled plugin: what it says of itself, and how it is opened.

use std::sync::Arc;

use glovebox_core::{About, Grants, Instance, Limits, Plugin, PluginError, World};

use crate::component::{Inner, check_imports, compile, digest, find_world, misfit};
use crate::instance::{Opened, describe};
use crate::shared::Shared;
use crate::words::GuestOutput;

/// A plugin, ready to be opened.
pub(crate) struct Compiled {
    inner: Arc<Inner>,
    sha256: String,
    about: About,
}

impl Compiled {
    pub(crate) fn load(
        shared: Arc<Shared>,
        name: &str,
        bytes: &[u8],
        pin: Option<&str>,
        limits: &Limits,
        words: Option<&GuestOutput>,
    ) -> Result<Self, PluginError> {
        let refuse = |problem: String| PluginError::Refused {
            plugin: name.to_owned(),
            problem,
        };
        let (digest, sha256) = digest(bytes).map_err(refuse)?;
        if let Some(pin) = pin.filter(|pin| *pin != sha256) {
            return Err(refuse(format!(
                "is not the pinned component: its SHA-256 is {sha256}, but the manifest pins \
                {pin}; find out who changed it before you pin it again"
            )));
        }
        let component = compile(&shared, bytes, &sha256).map_err(refuse)?;
        check_imports(&component, &shared.engine).map_err(refuse)?;
        let world = find_world(&component, &shared.engine).map_err(refuse)?;
        let pre = shared
            .linker
            .instantiate_pre(&component)
            .map_err(|e| misfit(&shared, name, &e))?;
        let inner = Arc::new(Inner {
            shared,
            name: name.to_owned(),
            pre,
            world,
            limits: limits.clone(),
            digest,
        });
        let about = describe(&inner, words)?;
        Ok(Compiled {
            inner,
            sha256,
            about,
        })
    }
}

impl Plugin for Compiled {
    fn name(&self) -> &str {
        &self.inner.name
    }

    fn world(&self) -> World {
        self.inner.world
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn open(&self, config: &str, grants: &Grants) -> Result<Box<dyn Instance>, PluginError> {
        Ok(Box::new(self.open_with(config, grants, None)?))
    }
}

impl Compiled {
    /// As [`Plugin::open`], with words where an author watches.
    pub(crate) fn open_with(
        &self,
        config: &str,
        grants: &Grants,
        words: Option<&GuestOutput>,
    ) -> Result<Opened, PluginError> {
        Opened::open(&self.inner, config, grants, words)
    }
}
