//! Stands in for clusters where this program was built without them.

use glovebox_engine::Shards;

use super::manifest::Text;
use crate::without;

/// The option of `run` for a cluster, which says that there is none.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[arg(long, value_name = "URL", hide = true)]
    cluster: Option<String>,
    #[arg(long, value_name = "DIR", hide = true, requires = "cluster")]
    certificates: Option<String>,
}

impl RunArgs {
    pub(super) fn shards(
        &self,
        _: &str,
        _: &Text,
        _: fn(&str),
    ) -> anyhow::Result<Option<Box<dyn Shards>>> {
        match self.cluster {
            Some(_) => anyhow::bail!(without::CLUSTER.refusal()),
            None => Ok(None),
        }
    }
}
