{{- /* What cannot work about the cluster, as far as values tell. */ -}}

{{- define "glovebox.validate.cluster" -}}
{{- $cluster := .Values.cluster -}}
{{- $names := dict -}}
{{- range $role := list "scheduler" "executor" "client" -}}
{{- if not (or (get $cluster.certificates $role) $cluster.certificates.issuer.name) -}}
{{- include "glovebox.refuse" (printf "cluster.certificates.%s is empty; name a Secret with ca.crt, tls.crt and tls.key of a certificate for urn:glovebox:%s, or cluster.certificates.issuer, from which cert-manager gets one" $role $role) -}}
{{- end -}}
{{- $secret := include "glovebox.cluster.secret" (dict "root" $ "role" $role) -}}
{{- with get $names $secret -}}
{{- include "glovebox.refuse" (printf "cluster.certificates: %s and %s are both `%s`; a certificate is for one role, so each needs a Secret of its own" . $role $secret) -}}
{{- end -}}
{{- $_ := set $names $secret $role -}}
{{- end -}}
{{- $files := dict -}}
{{- $pipelines := dict -}}
{{- range .Values.pipelines -}}
{{- if .cluster -}}
{{- $configMap := include "glovebox.run.manifests" (dict "root" $ "pipeline" .) -}}
{{- if ne (get $files .manifest | default $configMap) $configMap -}}
{{- include "glovebox.refuse" (printf "pipelines: %s is in two ConfigMaps, and executors have both; give one of them another name" .manifest) -}}
{{- end -}}
{{- $_ := set $files .manifest $configMap -}}
{{- if not .existingConfigMap -}}
{{- $name := get (get $.Values.manifests .manifest | fromYaml) "name" | toString -}}
{{- if ne (get $pipelines $name | default .manifest) .manifest -}}
{{- include "glovebox.refuse" (printf "manifests: %s and %s are both of the pipeline `%s`, and executors know pipelines by name; give one of them another" (get $pipelines $name) .manifest $name) -}}
{{- end -}}
{{- $_ := set $pipelines $name .manifest -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $files -}}
{{- include "glovebox.refuse" "cluster.enabled, but no pipeline has `cluster: true`: executors would have nothing to work on" -}}
{{- end -}}
{{- with $cluster.executors -}}
{{- if and .autoscaling.enabled .keda.enabled -}}
{{- include "glovebox.refuse" "cluster.executors.autoscaling and keda are both enabled; they would undo each other's work, so choose one" -}}
{{- end -}}
{{- if and .autoscaling.enabled (not .autoscaling.metric) -}}
{{- include "glovebox.refuse" "cluster.executors.autoscaling needs metric, the name under which a metrics adapter offers glovebox_cluster_ranges_unfinished" -}}
{{- end -}}
{{- if and (or .autoscaling.enabled .keda.enabled) $.Values.networkPolicy.enabled (not $.Values.networkPolicy.metricsFrom) -}}
{{- include "glovebox.refuse" "executors are scaled by the scheduler's metrics, which nobody may read: name KEDA's or Prometheus's Pods in networkPolicy.metricsFrom" -}}
{{- end -}}
{{- end -}}
{{- include "glovebox.validate.workload" (dict "root" . "at" $cluster.executors "where" "cluster.executors") -}}
{{- end -}}

{{- /* A pipeline with `cluster: true`. `root`, `at`, `where`, and `manifest` unless it is in a ConfigMap of others. */ -}}
{{- define "glovebox.validate.shared" -}}
{{- $where := .where -}}
{{- if not .root.Values.cluster.enabled -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, and there is no cluster; set cluster.enabled" $where) -}}
{{- end -}}
{{- range .at.args -}}
{{- if regexMatch "^--(shards|cluster|certificates|input|rejects-of)(=|$)" . -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, which does not go with the option %s; leave one of them out" $where .) -}}
{{- end -}}
{{- end -}}
{{- with .manifest -}}
{{- $sink := default dict .sink -}}
{{- if not (hasKey $sink "postgres") -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, which needs a sink in PostgreSQL; several executors cannot write one file" $where) -}}
{{- end -}}
{{- if eq (get (default dict $sink.postgres) "order" | toString) "source" -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, and its sink `order: source`; executors store rows in the order in which they are done" $where) -}}
{{- end -}}
{{- range $kind, $source := default dict .source -}}
{{- if has $kind (list "postgres" "sqlite") -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, which needs a source of files or objects; one process reads a database" $where) -}}
{{- end -}}
{{- if hasPrefix "/var/lib/glovebox/" (get (default dict $source) "path" | toString) -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, and a source on the run's own volume, which executors do not have; mount one that all have (extraVolumes), or read objects of a store" $where) -}}
{{- end -}}
{{- end -}}
{{- $whole := hasKey . "release" -}}
{{- range .steps -}}{{- if hasKey . "gather" -}}{{- $whole = true -}}{{- end -}}{{- end -}}
{{- if $whole -}}
{{- include "glovebox.refuse" (printf "%s has `cluster: true`, and `gather:` or `release:` in its manifest, which need all rows in one process" $where) -}}
{{- end -}}
{{- end -}}
{{- end -}}
