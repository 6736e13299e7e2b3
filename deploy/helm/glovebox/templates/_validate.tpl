{{- /* What a schema cannot say. Every refusal says what to write instead. */ -}}

{{- define "glovebox.refuse" -}}{{ fail (printf "\n\n  %s\n" .) }}{{- end -}}

{{- define "glovebox.validate" -}}
{{- include "glovebox.validate.secrets" . -}}
{{- if gt (len (include "glovebox.fullname" .)) 30 -}}
{{- include "glovebox.refuse" "fullnameOverride is longer than 30 characters; names of CronJobs would not fit" -}}
{{- end -}}
{{- if eq .Values.image.tag "latest" -}}
{{- include "glovebox.refuse" "image.tag is `latest`, which may be another image tomorrow; name a version" -}}
{{- end -}}
{{- range $name, $text := .Values.manifests -}}
{{- include "glovebox.validate.yaml" (dict "name" (printf "manifests.%s" $name) "text" $text) -}}
{{- end -}}
{{- if .Values.api.enabled -}}{{- include "glovebox.validate.api" . -}}{{- end -}}
{{- $seen := dict -}}
{{- range .Values.pipelines -}}
{{- if hasKey $seen .name -}}
{{- include "glovebox.refuse" (printf "pipelines: two are named `%s`; names of objects are made of them" .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- include "glovebox.validate.pipeline" (dict "root" $ "pipeline" .) -}}
{{- end -}}
{{- if .Values.cluster.enabled -}}{{- include "glovebox.validate.cluster" . -}}{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (or .Values.cluster.enabled (and .Values.api.enabled .Values.api.metrics.enabled))) -}}
{{- include "glovebox.refuse" "serviceMonitor.enabled needs api.metrics.enabled or cluster.enabled: there is nothing to read metrics from" -}}
{{- end -}}
{{- end -}}

{{- /* Values end up in ConfigMaps, in Helm's own Secret and in version control. */ -}}
{{- define "glovebox.validate.secrets" -}}
{{- $all := toJson .Values -}}
{{- if regexMatch "-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1" $all -}}
{{- include "glovebox.refuse" "a private key is in the values; put it into a Secret and name that under `secrets.existing` or `tls.existingSecret`" -}}
{{- end -}}
{{- if regexMatch "[a-z][a-z0-9+.-]*://[^/\\s:@\\\"]+:[^/\\s@\\\"]+@" $all -}}
{{- include "glovebox.refuse" "a URL in the values has a password in it; put the password into a Secret and write { secret: NAME }" -}}
{{- end -}}
{{- range $text := concat (list .Values.api.config) (values .Values.manifests) -}}
{{- if regexMatch "(?m)(^|[\\s{,])(password|passphrase|token|api-key)[\"']?\\s*:[ \\t]*[^\\s{]" $text -}}
{{- include "glovebox.refuse" "a password is in api.config or in a manifest; put it into a Secret and write `password: { secret: NAME }`" -}}
{{- end -}}
{{- end -}}
{{- $workloads := concat (list .Values.api .Values.cluster.executors) .Values.pipelines -}}
{{- range $workloads -}}
{{- range .env -}}
{{- if and .value (regexMatch "(?i)(password|passwd|secret|token|_key$|credential)" .name) -}}
{{- include "glovebox.refuse" (printf "env: `%s` looks like a secret; secrets are files in /run/glovebox, named under `secrets`" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "glovebox.validate.yaml" -}}
{{- $read := fromYaml .text -}}
{{- if hasKey $read "Error" -}}
{{- include "glovebox.refuse" (printf "%s is not YAML: %s" .name $read.Error) -}}
{{- end -}}
{{- end -}}

{{- define "glovebox.validate.api" -}}
{{- $api := .Values.api -}}
{{- if not $api.url -}}
{{- include "glovebox.refuse" "api.url is empty; write the URL by which clients reach the API (or api.enabled: false)" -}}
{{- end -}}
{{- if not $api.config -}}
{{- include "glovebox.refuse" "api.config is empty; write at least `catalog` and `tokens`, as in docs/api.md (or api.enabled: false)" -}}
{{- end -}}
{{- include "glovebox.validate.yaml" (dict "name" "api.config" "text" $api.config) -}}
{{- $config := fromYaml $api.config -}}
{{- range $key, $where := dict "listen" "it is port 8000" "url" "set api.url" "tls" "set api.tls" "metrics" "set api.metrics" "audit" "set api.audit" "runs" "set api.runs" -}}
{{- if hasKey $config $key -}}
{{- include "glovebox.refuse" (printf "api.config has `%s`, which the chart writes: %s" $key $where) -}}
{{- end -}}
{{- end -}}
{{- $catalog := default dict $config.catalog -}}
{{- with $catalog.sqlite -}}
{{- if not (hasPrefix "/var/lib/glovebox/" (toString .path)) -}}
{{- include "glovebox.refuse" "api.config: the catalog's path must be below /var/lib/glovebox; nothing else can be written" -}}
{{- end -}}
{{- end -}}
{{- range $name, $pipeline := $config.pipelines -}}
{{- $file := trimPrefix "/etc/glovebox/manifests/" (toString $pipeline.manifest) -}}
{{- if not (hasKey $.Values.manifests $file) -}}
{{- include "glovebox.refuse" (printf "api.config: the pipeline `%s` needs manifest: /etc/glovebox/manifests/FILE, and FILE under `manifests`" $name) -}}
{{- end -}}
{{- end -}}
{{- $most := include "glovebox.api.most" . | int -}}
{{- if and $api.autoscaling.enabled $api.keda.enabled -}}
{{- include "glovebox.refuse" "api.autoscaling and api.keda are both enabled; they would undo each other's work, so choose one" -}}
{{- end -}}
{{- if and (gt $most 1) (ne $api.kind "StatefulSet") -}}
{{- include "glovebox.refuse" "more than one server needs api.kind: StatefulSet, since each writes an audit log of its own under a name that lasts" -}}
{{- end -}}
{{- if and (gt $most 1) (not $catalog.postgres) -}}
{{- include "glovebox.refuse" "more than one server needs a catalog that they share: write `catalog: { postgres: … }` in api.config instead of `sqlite`" -}}
{{- end -}}
{{- if and (gt $most 1) $config.pipelines (not $api.runs.shared.enabled) -}}
{{- include "glovebox.refuse" "more than one server with pipelines needs api.runs.shared.enabled, so that each can show the reports and rejects of every run" -}}
{{- end -}}
{{- if and (eq $api.kind "StatefulSet") (or $api.persistence.existingClaim $api.audit.checkpoints.existingClaim) -}}
{{- include "glovebox.refuse" "existingClaim is for api.kind: Deployment; each server of a StatefulSet has volumes of its own" -}}
{{- end -}}
{{- if and $api.audit.keepFor (not $api.audit.checkpoints.enabled) -}}
{{- include "glovebox.refuse" "api.audit.keepFor needs api.audit.checkpoints.enabled: checkpoints record where the log begins" -}}
{{- end -}}
{{- if and $api.audit.checkpoints.enabled (not $api.audit.key) -}}
{{- include "glovebox.refuse" "api.audit.checkpoints needs api.audit.key, the name of the secret that signs them, such as audit/signing-key" -}}
{{- end -}}
{{- if and $api.audit.key (not $api.audit.checkpoints.enabled) -}}
{{- include "glovebox.refuse" "api.audit.key signs checkpoints; set api.audit.checkpoints.enabled, or leave the key empty" -}}
{{- end -}}
{{- if and $api.firstAdmin.enabled (not $api.firstAdmin.existingSecret) -}}
{{- include "glovebox.refuse" "api.firstAdmin needs existingSecret, the Secret with the first password" -}}
{{- end -}}
{{- if and $api.ingress.enabled (not (and $api.ingress.host $api.ingress.tlsSecret)) -}}
{{- include "glovebox.refuse" "api.ingress needs host and tlsSecret: passwords and tokens never cross the network without TLS" -}}
{{- end -}}
{{- with $api.keda.queue -}}
{{- if and $api.keda.enabled .enabled (not (and .host .user .existingSecret)) -}}
{{- include "glovebox.refuse" "api.keda.queue needs host, user and existingSecret of the catalog's database" -}}
{{- end -}}
{{- end -}}
{{- include "glovebox.validate.workload" (dict "root" . "at" $api "where" "api") -}}
{{- end -}}

{{- define "glovebox.validate.pipeline" -}}
{{- $at := include "glovebox.run.values" . | fromYaml -}}
{{- $where := printf "pipelines: `%s`" $at.name -}}
{{- if not $at.existingConfigMap -}}
{{- if not (hasKey .root.Values.manifests $at.manifest) -}}
{{- include "glovebox.refuse" (printf "%s names the manifest %s, which is not under `manifests`; add it, or name an existingConfigMap" $where $at.manifest) -}}
{{- end -}}
{{- $manifest := get .root.Values.manifests $at.manifest | fromYaml -}}
{{- $rejects := toString (get (default dict $manifest.rejects) "path") -}}
{{- if not (hasPrefix "/var/lib/glovebox/" $rejects) -}}
{{- include "glovebox.refuse" (printf "%s: its manifest needs `rejects: { path: /var/lib/glovebox/… }`; nothing else can be written" $where) -}}
{{- end -}}
{{- end -}}
{{- if $at.cluster -}}
{{- $manifest := dict -}}
{{- if not $at.existingConfigMap -}}{{- $manifest = get .root.Values.manifests $at.manifest | fromYaml -}}{{- end -}}
{{- include "glovebox.validate.shared" (dict "root" .root "at" $at "where" $where "manifest" $manifest) -}}
{{- end -}}
{{- include "glovebox.validate.workload" (dict "root" .root "at" $at "where" $where) -}}
{{- end -}}

{{- define "glovebox.validate.workload" -}}
{{- $from := 0 -}}
{{- range list "existing" "secretProviderClass" "vault" -}}
{{- if get $.at.secrets . -}}{{- $from = add $from 1 -}}{{- end -}}
{{- end -}}
{{- if gt $from 1 -}}
{{- include "glovebox.refuse" (printf "%s: secrets come from one of `existing`, `secretProviderClass` and `vault`" .where) -}}
{{- end -}}
{{- if and .at.secrets.vault (not .root.Values.vaultAgent.role) -}}
{{- include "glovebox.refuse" (printf "%s: secrets.vault needs vaultAgent.role, the role of Vault's Kubernetes authentication" .where) -}}
{{- end -}}
{{- range .at.egress -}}
{{- if not (hasKey $.root.Values.networkPolicy.egress .) -}}
{{- include "glovebox.refuse" (printf "%s: `%s` is not under networkPolicy.egress; add it there" $.where .) -}}
{{- end -}}
{{- end -}}
{{- range .at.extraVolumes -}}
{{- if hasKey . "hostPath" -}}
{{- include "glovebox.refuse" (printf "%s: the volume `%s` is a hostPath, which Pod Security `restricted` forbids; use a claim" $.where .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
