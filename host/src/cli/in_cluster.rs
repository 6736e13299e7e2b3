//! What `glovebox run --cluster` is told: the cluster that is asked, and what this run is to its executors.

use std::path::PathBuf;

use glovebox_cluster::{Certificates, Cluster, Pipeline, Url};
use glovebox_core::hex;
use glovebox_engine::Shards;
use sha2::{Digest, Sha256};

use super::manifest::Text;

/// The options of `run` for a cluster.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Have the executors of a cluster work on the run: its scheduler's URL, such as https://scheduler:50050.
    #[arg(long, value_name = "URL", requires = "certificates", conflicts_with_all = ["shards", "rejects_of", "input_key", "input"])]
    cluster: Option<Url>,
    /// With `--cluster`: a folder with `ca.crt`, `tls.crt` and `tls.key` of a client.
    #[arg(
        long,
        value_name = "DIR",
        requires = "cluster",
        env = "GLOVEBOX_CLUSTER_CERTIFICATES"
    )]
    certificates: Option<PathBuf>,
}

impl RunArgs {
    /// The cluster that is asked for, which lets this run in.
    pub(super) fn shards(
        &self,
        name: &str,
        text: &Text,
        tell: fn(&str),
    ) -> anyhow::Result<Option<Box<dyn Shards>>> {
        let (Some(url), Some(folder)) = (&self.cluster, &self.certificates) else {
            return Ok(None);
        };
        let pipeline = Pipeline {
            name: name.to_owned(),
            manifest: digest(text),
        };
        let mut cluster = Cluster::new(url.clone(), Certificates::read(folder)?, pipeline, tell);
        cluster.ask().map_err(anyhow::Error::msg)?;
        Ok(Some(Box::new(cluster)))
    }
}

/// By which a run and its executors know that they have the same manifest.
pub(super) fn digest(text: &Text) -> String {
    hex(Sha256::digest(text.as_written()))
}
