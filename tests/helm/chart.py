"""The Helm chart, rendered by the real `helm` and judged by Kubernetes' own schemas.

chart.py test           everything below; GLOVEBOX_BLESS=1 rewrites what is compared
chart.py render VALUES  the objects of one values file, as JSON
"""

import functools
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import kubernetes_validate
import referencing
import yaml

import custom
import restricted

HERE = pathlib.Path(__file__).parent
CHART = HERE.parent.parent / "deploy" / "helm" / "glovebox"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
BIN = pathlib.Path(sys.prefix, "bin")
BLESS = "GLOVEBOX_BLESS" in os.environ
# The oldest that Chart.yaml allows, and newer ones.
VERSIONS = ["1.31", "1.34", "1.37"]
# What cannot be changed in an object that exists.
IMMUTABLE = {
    "Deployment": ["spec.selector"],
    "StatefulSet": ["spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"],
    "Job": ["spec.selector", "spec.template", "spec.completions", "spec.completionMode", "spec.podFailurePolicy"],
    "PersistentVolumeClaim": ["spec.accessModes", "spec.storageClassName", "spec.volumeMode", "spec.selector"],
    "RoleBinding": ["roleRef"],
    "Service": ["spec.clusterIP"],
}
# From one values file to the next, as an operator may go who adds one thing after the other.
UPGRADES = [
    ["minimal", "monitoring", "csi", "external-secrets", "reference", "vault-agent", "minimal"],
    ["runs", "runs-changed", "runs"],
    ["autoscaling", "keda", "autoscaling"],
    ["runs", "cluster", "cluster-keda", "cluster-autoscaling", "cluster", "runs"],
]


def run(program, *args, **more):
    call = [str(BIN / program), *map(str, args)]
    return subprocess.run(call, capture_output=True, text=True, check=False, **more)


def helm(*args):
    done = run("helm", *args)
    assert done.returncode == 0, f"helm {' '.join(map(str, args))}\n{done.stdout}{done.stderr}"
    return done.stdout


def values(name):
    return CHART / "ci" / f"{name}-values.yaml"


@functools.cache
def render(name, *more):
    return helm("template", "trial", CHART, "--namespace", "data", "--values", values(name), *more)


def objects(text):
    return [o for o in yaml.safe_load_all(text) if o]


def same(path, text):
    """A golden file has this text; or gets it."""
    if BLESS:
        path.write_text(text)
    there = path.read_text() if path.exists() else ""
    if there != text:
        with tempfile.NamedTemporaryFile("w", suffix=path.suffix) as new:
            new.write(text)
            new.flush()
            shown = subprocess.run(["diff", "-u", path, new.name], capture_output=True, text=True, check=False)
        raise AssertionError(
            f"{path} differs; if that is right: GLOVEBOX_BLESS=1 cargo test -p glovebox-tests --test program chart\n"
            + shown.stdout
        )


@functools.cache
def schemas(version):
    folder = pathlib.Path(kubernetes_validate.__file__).parent / f"kubernetes-json-schema/v{version}.0-local-strict"
    definitions = referencing.Resource.from_contents(json.loads((folder / "_definitions.json").read_text()))
    return folder, referencing.Registry().with_resource("_definitions.json", definitions)


@functools.cache
def validator(version, kind, api_version):
    folder, registry = schemas(version)
    # networking.k8s.io/v1 is networking-v1 there.
    group, _, rest = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.split(".")[0], rest]))
    schema = json.loads((folder / f"{name}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=registry)


def valid(where, thing):
    if custom.is_custom(thing):
        custom.check(where, thing)
        return
    for version in VERSIONS:
        problems = list(validator(version, thing["kind"], thing["apiVersion"]).iter_errors(thing))
        assert not problems, f"{where}: {thing['kind']} in Kubernetes {version}: {problems[0].message}"
    template = restricted.template(thing)
    if template:
        broken = list(restricted.broken(template))
        assert not broken, f"{where}: {thing['kind']} {thing['metadata']['name']} is not restricted: {broken}"


def key(thing):
    return thing["apiVersion"], thing["kind"], thing["metadata"]["name"]


def at(thing, path):
    for part in path.split("."):
        thing = (thing or {}).get(part)
    return thing


def consistent(where, things):
    """What one object names in another is there; names fit; selectors find what they are for."""
    keys = [key(t) for t in things]
    assert len(set(keys)) == len(keys), f"{where}: two objects have one name"
    templates = [t for t in map(restricted.template, things) if t]
    for thing in things:
        limit = {"CronJob": 52, "Job": 63, "Service": 63}.get(thing["kind"], 253)
        assert len(thing["metadata"]["name"]) <= limit, f"{where}: {key(thing)} is too long"
        selector = at(thing, "spec.selector.matchLabels") or at(thing, "spec.podSelector.matchLabels")
        if thing["kind"] == "Service":
            selector = at(thing, "spec.selector")
        if selector and thing["kind"] not in ("ServiceMonitor",) and templates:
            found = [t for t in templates if selector.items() <= t["metadata"]["labels"].items()]
            assert found, f"{where}: {key(thing)} selects no Pod"
    made = {("configMap", n) for _, k, n in keys if k == "ConfigMap"}
    made |= {("persistentVolumeClaim", n) for _, k, n in keys if k == "PersistentVolumeClaim"}
    # cert-manager makes Secrets of these names.
    made |= {("secret", at(t, "spec.secretName")) for t in things if t["kind"] == "Certificate"}
    for template in templates:
        spec = template["spec"]
        volumes = {v["name"] for v in spec["volumes"]}
        volumes |= {c["metadata"]["name"] for t in things for c in at(t, "spec.volumeClaimTemplates") or []}
        for container in spec.get("initContainers", []) + spec["containers"]:
            mounts = [m["mountPath"] for m in container["volumeMounts"]]
            assert len(set(mounts)) == len(mounts), f"{where}: two volumes at one path"
            missing = {m["name"] for m in container["volumeMounts"]} - volumes
            assert not missing, f"{where}: no volume {missing}"
        for volume in spec["volumes"]:
            for kind, field in (("configMap", "name"), ("persistentVolumeClaim", "claimName"), ("secret", "secretName")):
                name = volume.get(kind, {}).get(field, "")
                if name.startswith("trial-"):
                    assert (kind, name) in made, f"{where}: nobody makes {kind} {name}"


def understood(where, workloads):
    """kubectl, without a server, reads workloads into Kubernetes' own types and writes them out again: what it does not
    know would be gone."""
    done = run("kubectl", "set", "image", "--local", "--filename=-", "--output=json", "*=other",
               input=yaml.safe_dump_all(workloads))
    assert done.returncode == 0, f"{where}: {done.stderr}"
    decoder, text, again = json.JSONDecoder(), done.stdout.lstrip(), []
    while text:
        thing, end = decoder.raw_decode(text)
        again.append(thing)
        text = text[end:].lstrip()
    assert len(again) == len(workloads)
    for before, after in zip(workloads, again, strict=True):
        lost = list(missing(before, after, ""))
        assert not lost, f"{where}: kubectl does not know {lost} of {key(before)}"


def missing(before, after, path):
    """Paths of what is only in the first. Empty objects mean nothing, and images were changed."""
    if isinstance(before, dict):
        for name, value in before.items():
            if name == "image" or value in ({}, [], None):
                continue
            if not isinstance(after, dict) or name not in after:
                yield f"{path}.{name}"
            else:
                yield from missing(value, after[name], f"{path}.{name}")
    elif isinstance(before, list):
        for index, value in enumerate(before):
            yield from missing(value, after[index], f"{path}[{index}]")


def goldens(names):
    for name in names:
        text = render(name)
        same(HERE / "golden" / f"{name}.yaml", text)
        things = objects(text)
        for thing in things:
            valid(name, thing)
        consistent(name, things)
        understood(name, [t for t in things if restricted.template(t)])


def notes():
    for name in ("minimal", "reference", "runs", "cluster"):
        said = helm("install", "trial", CHART, "--namespace", "data", "--dry-run=client", "--values", values(name))
        same(HERE / "golden" / f"{name}.notes.txt", said[said.index("NOTES:"):])


def lints(names):
    helm("lint", "--strict", CHART)
    for name in names:
        helm("lint", "--strict", CHART, "--values", values(name))


def refusals():
    cases = sorted((HERE / "refused").glob("*.yaml"))
    assert len(cases) >= 20
    for case in cases:
        done = run("helm", "template", "trial", CHART, "--values", values("minimal"), "--values", case)
        assert done.returncode != 0, f"{case} was not refused"
        told = done.stderr.replace("Use --debug flag to render out invalid YAML", "").strip()
        # Which template came first is of no interest.
        told = re.sub(r"^Error: execution error at \(\S+\):\s+", "", told)
        same(case.with_suffix(".txt"), told + "\n")


def upgrades():
    for chain in UPGRADES:
        rendered = [{key(o): o for o in objects(render(name, "--is-upgrade"))} for name in chain]
        for (old_name, old), (new_name, new) in itertools.pairwise(zip(chain, rendered, strict=True)):
            for same_key in old.keys() & new.keys():
                for path in IMMUTABLE.get(same_key[1], []):
                    before, after = at(old[same_key], path), at(new[same_key], path)
                    assert before == after, f"{old_name} to {new_name}: {path} of {same_key} cannot be changed"
    # A Job has another name if and only if it differs.
    jobs = [{k: o["spec"] for k, o in r.items() if k[1] == "Job"} for r in
            ({key(o): o for o in objects(render(n))} for n in ("runs", "runs-changed", "runs"))]
    assert jobs[0] == jobs[2] and not jobs[0].keys() & jobs[1].keys() and jobs[0], "the Jobs' names"


def documented(schema, there, path=""):
    """Every key of the schema is in values.yaml, where its comment is."""
    for name, inner in schema.get("properties", {}).items():
        if name == "global":
            continue
        assert name in there, f"values.yaml has no {path}.{name}"
        if "$ref" in inner:
            inner = SCHEMA["definitions"][inner["$ref"].rpartition("/")[2]]
        if isinstance(there[name], dict):
            documented(inner, there[name], f"{path}.{name}")


def test():
    documented(SCHEMA, yaml.safe_load((CHART / "values.yaml").read_text()))
    names = sorted(p.name.removesuffix("-values.yaml") for p in (CHART / "ci").glob("*-values.yaml"))
    assert len(names) >= 12
    lints(names)
    goldens(names)
    notes()
    refusals()
    upgrades()
    restricted.test()
    for extra in {p.name.split(".")[0] for p in (HERE / "golden").iterdir()} - set(names):
        raise AssertionError(f"golden/{extra} is of no values file")
    print(f"{len(names)} values files")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["test"]:
            try:
                test()
            except AssertionError as problem:
                sys.exit(str(problem))
        case ["render", name]:
            json.dump(objects(render(name)), sys.stdout)
        case _:
            sys.exit(__doc__)
