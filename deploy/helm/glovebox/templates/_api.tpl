{{- /* The API's configuration and Pod, the same for a Deployment and a StatefulSet. */ -}}

{{- define "glovebox.api.name" -}}{{ include "glovebox.fullname" . }}-api{{- end -}}

{{- define "glovebox.api.selector" -}}
{{ include "glovebox.selector" . }}
app.kubernetes.io/component: api
{{- end -}}

{{- /* The most servers that there may be; `0` for none is no number of servers. */ -}}
{{- define "glovebox.api.most" -}}
{{- $api := .Values.api -}}
{{- if $api.autoscaling.enabled -}}{{ $api.autoscaling.maxReplicas | int }}
{{- else if $api.keda.enabled -}}{{ $api.keda.maxReplicas | int }}
{{- else -}}{{ $api.replicas | int }}
{{- end -}}
{{- end -}}

{{- define "glovebox.api.config" -}}
{{- $api := .Values.api -}}
listen: {{ printf "%s:8000" $api.address | quote }}
url: {{ $api.url | quote }}
{{- if $api.tls.existingSecret }}
tls: { certificate: /run/glovebox-tls/tls.crt, key: /run/glovebox-tls/tls.key }
{{- end }}
{{- if $api.metrics.enabled }}
metrics: { listen: {{ printf "%s:9100" $api.address | quote }} }
{{- end }}
{{- if not (hasKey (fromYaml $api.config) "credentials") }}
credentials:
  - files: /run/glovebox
{{- end }}
audit:
  folder: /var/lib/glovebox/audit
  {{- with $api.audit }}
  {{- if .checkpoints.enabled }}
  checkpoints: /var/lib/glovebox-checkpoints/audit
  checkpoint-every: {{ .checkpointEvery | int }}
  {{- end }}
  {{- with .key }}
  key: {{ . | quote }}
  {{- end }}
  {{- with .keepFor }}
  keep-for: {{ . }}
  {{- end }}
  {{- end }}
runs:
  folder: {{ ternary "/var/lib/glovebox-runs" "/var/lib/glovebox/runs" $api.runs.shared.enabled }}
  {{- if $api.runs.shared.enabled }}
  shared: true
  {{- end }}
  at-once: {{ $api.runs.atOnce | int }}
  keep-for: {{ $api.runs.keepFor }}
  {{- with $api.runs.uploadsKey }}
  uploads-key: {{ . | quote }}
  {{- end }}
{{ $api.config }}
{{- end -}}

{{- define "glovebox.api.probe" -}}
httpGet: { path: {{ .path }}, port: api, scheme: {{ .scheme }} }
{{- range $key := list "periodSeconds" "failureThreshold" "timeoutSeconds" }}
{{ $key }}: {{ get $.at $key | int }}
{{- end }}
{{- end -}}

{{- define "glovebox.api.mounts" -}}
- { name: config, mountPath: /etc/glovebox/config, readOnly: true }
{{- if .Values.api.audit.checkpoints.enabled }}
- { name: checkpoints, mountPath: /var/lib/glovebox-checkpoints }
{{- end }}
{{- if .Values.api.runs.shared.enabled }}
- { name: runs, mountPath: /var/lib/glovebox-runs }
{{- end }}
{{ include "glovebox.mounts" (dict "root" . "at" .Values.api "manifests" .Values.manifests) }}
{{- end -}}

{{- define "glovebox.api.template" -}}
{{- $api := .Values.api -}}
{{- $common := dict "root" . "at" $api "manifests" (ternary (printf "%s-manifests" (include "glovebox.fullname" .)) "" (not (empty .Values.manifests))) -}}
{{- $scheme := ternary "HTTPS" "HTTP" (not (empty $api.tls.existingSecret)) -}}
metadata:
  labels: {{- include "glovebox.api.selector" . | nindent 4 }}
    {{- with $api.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Changed configuration starts new Pods.
    checksum/config: {{ include "glovebox.api.config" . | sha256sum }}
    checksum/manifests: {{ .Values.manifests | toJson | sha256sum }}
    {{- if $api.secrets.vault }}
    {{- include "glovebox.vault" $common | nindent 4 }}
    {{- end }}
    {{- with $api.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "glovebox.pod" $common | nindent 2 }}
  {{- if eq $api.kind "Deployment" }}
  # The catalog knows the audit log by this name, so it must not change with the Pod.
  hostname: {{ include "glovebox.api.name" . }}
  {{- end }}
  topologySpreadConstraints:
    {{- if $api.topologySpreadConstraints }}
    {{- toYaml $api.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "glovebox.api.selector" . | nindent 10 }}
    {{- end }}
  {{- if $api.firstAdmin.enabled }}
  initContainers:
    - name: first-admin
      image: {{ include "glovebox.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [sh, /usr/local/bin/admin.sh, /etc/glovebox/config/glovebox.yaml, /run/glovebox-admin/password]
      securityContext: {{- include "glovebox.containerSecurity" . | nindent 8 }}
      env: {{- include "glovebox.env" $common | nindent 8 }}
      resources: {{- toYaml $api.resources | nindent 8 }}
      volumeMounts: {{- include "glovebox.api.mounts" . | nindent 8 }}
        - { name: first-admin, mountPath: /run/glovebox-admin, readOnly: true }
  {{- end }}
  containers:
    - name: api
      image: {{ include "glovebox.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [--log-format, json, --log, {{ .Values.logLevel }}, serve, --config, /etc/glovebox/config/glovebox.yaml]
      ports:
        - { name: api, containerPort: 8000 }
        {{- if $api.metrics.enabled }}
        - { name: metrics, containerPort: 9100 }
        {{- end }}
      securityContext: {{- include "glovebox.containerSecurity" . | nindent 8 }}
      env: {{- include "glovebox.env" $common | nindent 8 }}
      startupProbe: {{- include "glovebox.api.probe" (dict "path" "/healthz" "scheme" $scheme "at" $api.probes.startup) | nindent 8 }}
      readinessProbe: {{- include "glovebox.api.probe" (dict "path" "/readyz" "scheme" $scheme "at" $api.probes.readiness) | nindent 8 }}
      livenessProbe: {{- include "glovebox.api.probe" (dict "path" "/healthz" "scheme" $scheme "at" $api.probes.liveness) | nindent 8 }}
      resources: {{- toYaml $api.resources | nindent 8 }}
      volumeMounts:
        {{- include "glovebox.api.mounts" . | nindent 8 }}
        {{- if $api.tls.existingSecret }}
        - { name: tls, mountPath: /run/glovebox-tls, readOnly: true }
        {{- end }}
  volumes:
    - name: config
      configMap: { name: {{ include "glovebox.api.name" . }} }
    {{- if $api.tls.existingSecret }}
    - name: tls
      secret: { secretName: {{ $api.tls.existingSecret }}, defaultMode: 0440 }
    {{- end }}
    {{- if $api.firstAdmin.enabled }}
    - name: first-admin
      secret:
        secretName: {{ $api.firstAdmin.existingSecret }}
        defaultMode: 0440
        items: [{ key: {{ $api.firstAdmin.key | quote }}, path: password }]
    {{- end }}
    {{- if $api.runs.shared.enabled }}
    - name: runs
      persistentVolumeClaim: { claimName: {{ default (printf "%s-runs" (include "glovebox.api.name" .)) $api.runs.shared.existingClaim }} }
    {{- end }}
    {{- if and $api.audit.checkpoints.enabled (eq $api.kind "Deployment") }}
    - name: checkpoints
      persistentVolumeClaim: { claimName: {{ default (printf "%s-checkpoints" (include "glovebox.api.name" .)) $api.audit.checkpoints.existingClaim }} }
    {{- end }}
    {{- if not $api.persistence.enabled }}
    - name: state
      emptyDir: {}
    {{- else if eq $api.kind "Deployment" }}
    - name: state
      persistentVolumeClaim: { claimName: {{ default (include "glovebox.api.name" .) $api.persistence.existingClaim }} }
    {{- end }}
    {{- include "glovebox.volumes" $common | nindent 4 }}
{{- end -}}
