"""Objects of operators, which Kubernetes' own schemas do not know: their shape, by the operators' references.

External Secrets 1.0, Secrets Store CSI driver 1.4, cert-manager 1.13, KEDA 2.16, Prometheus operator 0.80."""

import jsonschema

TEXT = {"type": "string", "minLength": 1}


def block(required, optional=None):
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def many(items):
    return {"type": "array", "minItems": 1, "items": items}


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
TRIGGER = block(
    {"type": {"enum": ["cpu", "postgresql", "metrics-api"]}, "metricType": {"enum": ["Utilization", "AverageValue"]}, "metadata": TEXTS},
    {"authenticationRef": block({"name": TEXT})},
)
RULE = block(
    {"alert": TEXT, "expr": TEXT, "labels": TEXTS, "annotations": TEXTS}, {"for": TEXT, "keep_firing_for": TEXT}
)
SPECS = {
    ("external-secrets.io/v1", "ExternalSecret"): block({
        "refreshInterval": TEXT,
        "secretStoreRef": block({"name": TEXT, "kind": {"enum": ["SecretStore", "ClusterSecretStore"]}}),
        "target": block({"name": TEXT, "creationPolicy": {"enum": ["Owner"]}}),
        "data": many(block({"secretKey": TEXT, "remoteRef": block({"key": TEXT}, {"property": TEXT, "version": TEXT})})),
    }),
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): block(
        {"provider": {"enum": ["vault", "aws", "azure", "gcp"]}, "parameters": TEXTS}
    ),
    ("cert-manager.io/v1", "Certificate"): block({
        "secretName": TEXT,
        "issuerRef": block({"name": TEXT, "kind": TEXT, "group": TEXT}),
        "duration": TEXT,
        "renewBefore": TEXT,
        "privateKey": block({
            "algorithm": {"enum": ["RSA", "ECDSA", "Ed25519"]},
            "size": {"type": "integer"},
            "rotationPolicy": {"enum": ["Never", "Always"]},
        }),
        "uris": many(TEXT),
        "usages": many({"enum": ["digital signature", "server auth", "client auth"]}),
    }, {"dnsNames": many(TEXT)}),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): block(
        {"secretTargetRef": many(block({"parameter": TEXT, "name": TEXT, "key": TEXT}))}
    ),
    ("keda.sh/v1alpha1", "ScaledObject"): block({
        "scaleTargetRef": block({"apiVersion": TEXT, "kind": TEXT, "name": TEXT}),
        "minReplicaCount": {"type": "integer"},
        "maxReplicaCount": {"type": "integer"},
        "advanced": block({"horizontalPodAutoscalerConfig": {"type": "object"}}),
        "triggers": many(TRIGGER),
    }),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): block({
        "selector": block({"matchLabels": TEXTS}),
        "endpoints": many(block({"port": TEXT, "path": TEXT, "interval": TEXT})),
    }),
    ("monitoring.coreos.com/v1", "PrometheusRule"): block(
        {"groups": many(block({"name": TEXT, "rules": many(RULE)}, {"interval": TEXT}))}
    ),
}


def is_custom(thing):
    return (thing["apiVersion"], thing["kind"]) in SPECS


def check(where, thing):
    try:
        jsonschema.validate(thing["spec"], SPECS[thing["apiVersion"], thing["kind"]])
    except jsonschema.ValidationError as problem:
        raise AssertionError(f"{where}: {thing['kind']}: {problem.json_path}: {problem.message}") from problem
