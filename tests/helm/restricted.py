"""The Pod Security Standard *restricted*, rule by rule, as Kubernetes 1.32 documents it
(https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""

import copy

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def template(thing):
    """The Pod template of a workload, if it is one."""
    spec = thing.get("spec") or {}
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    return spec.get("template") if thing["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob") else None


def broken(template):
    """Names of the rules that a Pod breaks."""
    pod, annotations = template["spec"], template["metadata"].get("annotations") or {}
    own = pod.get("securityContext") or {}
    containers = [c for k in ("initContainers", "containers", "ephemeralContainers") for c in pod.get(k) or []]
    contexts = [c.get("securityContext") or {} for c in containers]
    everywhere = [own, *contexts]
    if any(c.get("windowsOptions", {}).get("hostProcess") for c in everywhere):
        yield "HostProcess"
    if any(pod.get(k) for k in ("hostNetwork", "hostPID", "hostIPC")):
        yield "Host namespaces"
    if any(c.get("privileged") for c in contexts):
        yield "Privileged containers"
    for context in contexts:
        capabilities = context.get("capabilities") or {}
        if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
            yield "Capabilities"
    if any(set(v) - {"name"} - VOLUMES for v in pod.get("volumes") or []):
        yield "Volume types"
    if any(p.get("hostPort") for c in containers for p in c.get("ports") or []):
        yield "Host ports"
    if any((h.get("httpGet") or h.get("tcpSocket") or {}).get("host")
           for c in containers
           for h in [*(c.get(p) or {} for p in ("startupProbe", "readinessProbe", "livenessProbe")),
                     *(c.get("lifecycle") or {}).values()]):
        yield "Host probes"
    if any(k.startswith("container.apparmor.security.beta.kubernetes.io/") for k in annotations) or any(
        (c.get("appArmorProfile") or {}).get("type") == "Unconfined" for c in everywhere
    ):
        yield "AppArmor"
    for options in (c.get("seLinuxOptions") or {} for c in everywhere):
        if options.get("type") not in SELINUX or options.get("user") or options.get("role"):
            yield "SELinux"
    if any(c.get("procMount", "Default") != "Default" for c in contexts):
        yield "/proc mount type"
    if any(s["name"] not in SYSCTLS for s in own.get("sysctls") or []):
        yield "Sysctls"
    if any(c.get("allowPrivilegeEscalation") is not False for c in contexts):
        yield "Privilege escalation"
    if any(c.get("runAsNonRoot", own.get("runAsNonRoot")) is not True for c in contexts):
        yield "Running as non-root"
    if any(c.get("runAsUser") == 0 for c in everywhere):
        yield "Running as non-root user"
    for context in contexts:
        profile = context.get("seccompProfile") or own.get("seccompProfile") or {}
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield "Seccomp"
    # Beyond the standard: what this chart promises.
    if any(c.get("readOnlyRootFilesystem") is not True for c in contexts):
        yield "Read-only root"
    if pod.get("automountServiceAccountToken") is not False:
        yield "No token"
    if own.get("runAsUser") != 10001:
        yield "User 10001"
    if any(not (c.get("resources") or {}).get(k, {}).get("memory") for c in containers for k in ("requests", "limits")):
        yield "Memory"


def test():
    """A Pod that keeps every rule, and one for each way to break one."""
    good = {
        "metadata": {},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{
                "resources": {"requests": {"memory": "1"}, "limits": {"memory": "1"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    }
    assert not list(broken(good))
    container = ("spec", "containers", 0)
    inside = (*container, "securityContext")
    ways = {
        "HostProcess": [(*inside, "windowsOptions"), {"hostProcess": True}],
        "Host namespaces": [("spec", "hostPID"), True],
        "Privileged containers": [(*inside, "privileged"), True],
        "Capabilities": [(*inside, "capabilities"), {"drop": ["ALL"], "add": ["CHOWN"]}],
        "Volume types": [("spec", "volumes"), [{"name": "v", "hostPath": {"path": "/"}}]],
        "Host ports": [(*container, "ports"), [{"hostPort": 80}]],
        "Host probes": [(*container, "livenessProbe"), {"httpGet": {"host": "10.0.0.1"}}],
        "AppArmor": [("spec", "securityContext", "appArmorProfile"), {"type": "Unconfined"}],
        "SELinux": [(*inside, "seLinuxOptions"), {"type": "spc_t"}],
        "/proc mount type": [(*inside, "procMount"), "Unmasked"],
        "Sysctls": [("spec", "securityContext", "sysctls"), [{"name": "kernel.msgmax"}]],
        "Privilege escalation": [(*inside, "allowPrivilegeEscalation"), True],
        "Running as non-root": [(*inside, "runAsNonRoot"), False],
        "Running as non-root user": [(*inside, "runAsUser"), 0],
        "Seccomp": [("spec", "securityContext", "seccompProfile"), {"type": "Unconfined"}],
        "Read-only root": [(*inside, "readOnlyRootFilesystem"), False],
        "No token": [("spec", "automountServiceAccountToken"), True],
        "User 10001": [("spec", "securityContext", "runAsUser"), 1000],
        "Memory": [(*container, "resources"), {}],
    }
    for rule, (path, value) in ways.items():
        bad = copy.deepcopy(good)
        place = bad
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert rule in list(broken(bad)), f"restricted: {rule} was not seen"
