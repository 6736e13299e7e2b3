//! A Pod of the chart as processes of this machine: each volume is a folder, and where a path of a
//! mount stands in arguments, variables or ConfigMaps, that folder's path takes its place.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use glovebox_tests::pipeline::{Running, program};
use regex::Regex;
use serde_json::Value;

use crate::deploy::repository;

/// Names of files, each with its content.
type Files = BTreeMap<String, Vec<u8>>;

/// What was rendered, and what a cluster has beside it.
pub(super) struct Cluster {
    objects: Vec<Value>,
    folder: PathBuf,
    /// By kind and name, such as `secret/glovebox-api`.
    outside: BTreeMap<String, Files>,
    /// What is otherwise in ConfigMaps here: addresses.
    edits: Vec<(String, String)>,
}

impl Cluster {
    pub(super) fn new(objects: Vec<Value>, folder: PathBuf) -> Cluster {
        Cluster {
            objects,
            folder,
            outside: BTreeMap::new(),
            edits: Vec::new(),
        }
    }

    /// With something that the chart only names.
    pub(super) fn with<C: AsRef<[u8]>>(mut self, name: &str, files: &[(&str, C)]) -> Self {
        let files = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.as_ref().to_vec()))
            .collect();
        self.outside.insert(name.to_owned(), files);
        self
    }

    /// With another text in all ConfigMaps.
    pub(super) fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    /// A Pod of each workload, with its volumes.
    pub(super) fn pods(&self) -> Vec<Pod> {
        let workloads = ["Deployment", "StatefulSet", "Job", "CronJob"];
        self.objects
            .iter()
            .filter(|object| workloads.contains(&object["kind"].as_str().unwrap()))
            .map(|object| Pod::new(self, object, 0))
            .collect()
    }

    /// The Pods of the StatefulSet.
    pub(super) fn replicas(&self) -> Vec<Pod> {
        let set = self
            .objects
            .iter()
            .find(|object| object["kind"] == "StatefulSet")
            .unwrap();
        let replicas = set["spec"]["replicas"].as_u64().unwrap();
        (0..replicas)
            .map(|ordinal| Pod::new(self, set, ordinal))
            .collect()
    }

    /// What a ConfigMap, Secret or claim holds.
    fn content(&self, kind: &str, name: &str) -> Files {
        let ours = self.objects.iter().find(|object| {
            kind == "configMap"
                && object["kind"] == "ConfigMap"
                && object["metadata"]["name"] == name
        });
        if let Some(ours) = ours {
            let data = ours["data"].as_object().unwrap();
            return data
                .iter()
                .map(|(file, text)| {
                    let text = text.as_str().unwrap().to_owned();
                    let edit = |text: String, (from, to): &(String, String)| text.replace(from, to);
                    let text = self.edits.iter().fold(text, edit);
                    (file.clone(), text.into_bytes())
                })
                .collect();
        }
        let outside = self.outside.get(&format!("{kind}/{name}"));
        // A claim may be empty; the chart cannot make up the others.
        assert!(
            outside.is_some() || kind == "persistentVolumeClaim",
            "there is no {kind}/{name}"
        );
        outside.cloned().unwrap_or_default()
    }
}

/// A Pod.
pub(super) struct Pod {
    spec: Value,
    /// Paths of mounts, the longest first, each with the folder here.
    mounts: Vec<(String, PathBuf)>,
    paths: Regex,
    /// Where the program is started.
    begins: PathBuf,
}

impl Pod {
    fn new(cluster: &Cluster, workload: &Value, ordinal: u64) -> Pod {
        let jobs = &workload["spec"]["jobTemplate"]["spec"];
        let template = match jobs["template"].is_object() {
            true => &jobs["template"],
            false => &workload["spec"]["template"],
        };
        let name = workload["metadata"]["name"].as_str().unwrap();
        let mut volumes: BTreeMap<String, (PathBuf, Files)> = BTreeMap::new();
        let claim = |name: &str| {
            let files = cluster.content("persistentVolumeClaim", name);
            (cluster.folder.join("claims").join(name), files)
        };
        let own = cluster.folder.join(format!("{name}-{ordinal}"));
        for volume in list(&template["spec"]["volumes"]) {
            let name = text(&volume["name"]);
            let claimed = &volume["persistentVolumeClaim"]["claimName"];
            let made = match claimed.as_str() {
                Some(name) => claim(name),
                None if is_same(volume) => {
                    let folder = cluster.folder.join("same").join(digest(volume));
                    (folder, files_of(cluster, volume))
                }
                None => (own.join(&name), files_of(cluster, volume)),
            };
            volumes.insert(name, made);
        }
        for template in list(&workload["spec"]["volumeClaimTemplates"]) {
            let name = text(&template["metadata"]["name"]);
            volumes.insert(name.clone(), claim(&format!("{name}-{ordinal}")));
        }
        let mut mounts: BTreeMap<String, PathBuf> = ["initContainers", "containers"]
            .iter()
            .flat_map(|kind| list(&template["spec"][kind]))
            .flat_map(|container| list(&container["volumeMounts"]))
            .map(|mount| {
                let volume = volumes.get(&text(&mount["name"])).unwrap();
                (text(&mount["mountPath"]), volume.0.clone())
            })
            .collect();
        // The injector brings a volume of its own.
        if let Some(files) = injected(cluster, &template["metadata"]["annotations"]) {
            mounts.insert("/run/glovebox".into(), own.join("vault"));
            volumes.insert("vault".into(), (own.join("vault"), files));
        }
        mounts.insert("/usr/local/bin".into(), repository().join("deploy"));
        let mut mounts: Vec<_> = mounts.into_iter().collect();
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let alternatives: Vec<_> = mounts.iter().map(|(path, _)| regex::escape(path)).collect();
        let paths = Regex::new(&format!(r"({})\b", alternatives.join("|"))).unwrap();
        // As the image has it.
        let at = mounts.iter().find(|(path, _)| path == "/var/lib/glovebox");
        let begins = at.map_or(&own, |(_, folder)| folder).clone();
        fs::create_dir_all(&begins).unwrap();
        let pod = Pod {
            begins,
            spec: template["spec"].clone(),
            mounts,
            paths,
        };
        for (folder, files) in volumes.values() {
            fs::create_dir_all(folder).unwrap();
            for (name, content) in files {
                let content = match String::from_utf8(content.clone()) {
                    Ok(text) => pod.here(&text).into_bytes(),
                    Err(_) => content.clone(),
                };
                write(&folder.join(name), &content);
            }
        }
        pod
    }

    /// A text with the paths that are meant here.
    fn here(&self, text: &str) -> String {
        let folder = |found: &regex::Captures<'_>| {
            let (_, folder) = self
                .mounts
                .iter()
                .find(|(path, _)| *path == found[1])
                .unwrap();
            folder.display().to_string()
        };
        self.paths.replace_all(text, folder).into_owned()
    }

    /// A container, by its name.
    pub(super) fn container(&self, name: &str) -> &Value {
        ["initContainers", "containers"]
            .iter()
            .flat_map(|kind| list(&self.spec[kind]))
            .find(|container| container["name"] == name)
            .unwrap_or_else(|| panic!("there is no container `{name}`"))
    }

    /// The name of the container that does the Pod's work.
    pub(super) fn main(&self) -> String {
        text(&self.spec["containers"][0]["name"])
    }

    /// With what a container calls the program.
    pub(super) fn arguments(&self, container: &str) -> Vec<String> {
        let arguments = list(&self.container(container)["args"]);
        arguments.iter().map(|a| self.here(&text(a))).collect()
    }

    /// Where a file is that a container sees at this path.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.here(path).into()
    }

    /// Starts a container as it is, or its program with other arguments.
    pub(super) fn start(&self, name: &str, arguments: Option<Vec<String>>) -> Running {
        let container = self.container(name);
        let command: Vec<_> = list(&container["command"])
            .iter()
            .map(|part| self.here(&text(part)))
            .collect();
        let mut process = match command.split_first() {
            Some((first, rest)) => {
                let mut process = Command::new(first);
                process.args(rest);
                process
            }
            None => Command::new(program()),
        };
        let programs = program().parent().unwrap().display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        process
            .args(arguments.unwrap_or_else(|| self.arguments(name)))
            .current_dir(&self.begins)
            .env_clear()
            .env("PATH", format!("{programs}:{path}"))
            .stdin(Stdio::null());
        for variable in list(&container["env"]) {
            process.env(
                text(&variable["name"]),
                self.here(&text(&variable["value"])),
            );
        }
        Running::new(process)
    }
}

/// Whether a volume is one folder for all Pods that have it, so that a manifest that names a place in it is one text in all of
/// them: a run and its executors compare theirs. What has paths in it, such as manifests themselves, is another in each Pod.
fn is_same(volume: &Value) -> bool {
    let of_secrets = |source: &Value| source["secret"].is_object();
    of_secrets(volume)
        || volume["configMap"]["name"] == "database-ca"
        || list(&volume["projected"]["sources"])
            .first()
            .is_some_and(of_secrets)
}

fn digest(volume: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    volume.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// What a volume holds that is no claim.
fn files_of(cluster: &Cluster, volume: &Value) -> Files {
    let some = |kind: &str, name: &Value, items: &Value| {
        let all = cluster.content(kind, name.as_str().unwrap());
        let items = list(items);
        if items.is_empty() {
            return all;
        }
        let item = |item: &Value| {
            let key = text(&item["key"]);
            let content = all.get(&key);
            let content = content.unwrap_or_else(|| panic!("{name} has no key {key}"));
            (text(&item["path"]), content.clone())
        };
        items.iter().map(item).collect()
    };
    if let Some(name) = volume["configMap"]["name"].as_str() {
        return cluster.content("configMap", name);
    }
    if volume["secret"].is_object() {
        let secret = &volume["secret"];
        return some("secret", &secret["secretName"], &secret["items"]);
    }
    if volume["csi"].is_object() {
        let class = text(&volume["csi"]["volumeAttributes"]["secretProviderClass"]);
        return cluster.content("secretProviderClass", &class);
    }
    list(&volume["projected"]["sources"])
        .iter()
        .flat_map(|source| {
            if let Some(token) = source["serviceAccountToken"].as_object() {
                return Files::from([(text(&token["path"]), b"a token".to_vec())]);
            }
            let kind = match source["secret"].is_object() {
                true => "secret",
                false => "configMap",
            };
            some(kind, &source[kind]["name"], &source[kind]["items"])
        })
        .collect()
}

/// What the Vault agent would write, by a Pod's annotations.
fn injected(cluster: &Cluster, annotations: &Value) -> Option<Files> {
    let annotations = annotations.as_object()?;
    annotations.get("vault.hashicorp.com/agent-inject")?;
    let all = cluster.content("vault", "secret");
    let names = annotations
        .keys()
        .filter_map(|k| k.strip_prefix("vault.hashicorp.com/agent-inject-secret-"));
    Some(
        names
            .map(|name| (name.to_owned(), all[name].clone()))
            .collect(),
    )
}

/// As the kubelet: for the owner and the group.
fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Two Pods of one claim.
    if !path.exists() {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o440)).unwrap();
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
