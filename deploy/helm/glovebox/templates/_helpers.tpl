{{- /* Names, labels, and what every Pod has in common. */ -}}

{{- define "glovebox.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "glovebox.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains (include "glovebox.name" .) .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "glovebox.name" .) | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "glovebox.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "glovebox.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* What selects Pods: it never changes, since selectors of workloads cannot. */ -}}
{{- define "glovebox.selector" -}}
app.kubernetes.io/name: {{ include "glovebox.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "glovebox.labels" -}}
{{ include "glovebox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "glovebox.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if .Values.image.digest -}}
{{- printf "%s:%s@%s" .Values.image.repository $tag .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end -}}

{{- define "glovebox.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
# A volume with many files is not walked at each start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "glovebox.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- /* The Pod's part that is the same for the API and for runs. `root`, and `at`: the workload's values. */ -}}
{{- define "glovebox.pod" -}}
serviceAccountName: {{ include "glovebox.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .at.terminationGracePeriodSeconds | int }}
securityContext: {{- include "glovebox.podSecurity" .root | nindent 2 }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.at $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "glovebox.env" -}}
# Compiled plugins; the folder itself is made by the program, for itself alone.
- { name: GLOVEBOX_CACHE, value: /var/cache/glovebox/compiled }
{{- with .at.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "glovebox.mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: cache, mountPath: /var/cache/glovebox }
- { name: state, mountPath: /var/lib/glovebox }
{{- if or .at.secrets.existing .at.secrets.secretProviderClass }}
- { name: secrets, mountPath: /run/glovebox, readOnly: true }
{{- end }}
{{- if .at.secrets.token }}
- { name: token, mountPath: /run/glovebox-token, readOnly: true }
{{- end }}
{{- if .manifests }}
- { name: manifests, mountPath: /etc/glovebox/manifests, readOnly: true }
{{- end }}
{{- if or .root.Values.plugins.existingConfigMap .root.Values.plugins.existingClaim }}
- { name: plugins, mountPath: /etc/glovebox/plugins, readOnly: true }
{{- end }}
{{- if .root.Values.certificates.existingConfigMap }}
- { name: ca, mountPath: /etc/glovebox/ca, readOnly: true }
{{- end }}
{{- with .at.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* `manifests`: the name of their ConfigMap, if any. */ -}}
{{- define "glovebox.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
- name: cache
  emptyDir: { sizeLimit: 512Mi }
{{- if .at.secrets.existing }}
- name: secrets
  projected:
    # For the program's group, which fsGroup is; for nobody else.
    defaultMode: 0440
    sources:
      {{- range .at.secrets.existing }}
      - secret:
          name: {{ .name }}
          {{- with .items }}
          items:
            {{- range $key, $path := . }}
            - { key: {{ $key | quote }}, path: {{ $path | quote }} }
            {{- end }}
          {{- end }}
      {{- end }}
{{- else if .at.secrets.secretProviderClass }}
- name: secrets
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes: { secretProviderClass: {{ .at.secrets.secretProviderClass }} }
{{- else if .at.secrets.vault }}
- name: vault-token
  projected:
    sources:
      - serviceAccountToken: { path: token, audience: {{ .root.Values.vaultAgent.audience | quote }}, expirationSeconds: 600 }
{{- end }}
{{- if .at.secrets.token }}
- name: token
  projected:
    sources:
      - serviceAccountToken: { path: token, audience: {{ .root.Values.vaultAgent.audience | quote }}, expirationSeconds: 3600 }
{{- end }}
{{- with .manifests }}
- name: manifests
  configMap: { name: {{ . }} }
{{- end }}
{{- with .root.Values.plugins.existingConfigMap }}
- name: plugins
  configMap: { name: {{ . }} }
{{- end }}
{{- with .root.Values.plugins.existingClaim }}
- name: plugins
  persistentVolumeClaim: { claimName: {{ . }}, readOnly: true }
{{- end }}
{{- with .root.Values.certificates.existingConfigMap }}
- name: ca
  configMap: { name: {{ . }} }
{{- end }}
{{- with .at.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Annotations by which the Vault agent injector writes secrets to /run/glovebox before the program starts. */ -}}
{{- define "glovebox.vault" -}}
{{- $agent := .root.Values.vaultAgent -}}
vault.hashicorp.com/agent-inject: "true"
# Secrets are read at a start; a container beside the program would keep a Job from ending.
vault.hashicorp.com/agent-pre-populate-only: "true"
# Before the container that makes the first user.
vault.hashicorp.com/agent-init-first: "true"
vault.hashicorp.com/role: {{ $agent.role | quote }}
vault.hashicorp.com/secret-volume-path: /run/glovebox
vault.hashicorp.com/agent-service-account-token-volume-name: vault-token
vault.hashicorp.com/agent-run-as-user: "10001"
vault.hashicorp.com/agent-run-as-group: "10001"
vault.hashicorp.com/agent-set-security-context: "true"
{{- with $agent.namespace }}
vault.hashicorp.com/namespace: {{ . | quote }}
{{- end }}
{{- with $agent.tlsSecret }}
vault.hashicorp.com/tls-secret: {{ . | quote }}
vault.hashicorp.com/ca-cert: /vault/tls/ca.crt
{{- end }}
{{- range $name, $place := .at.secrets.vault }}
vault.hashicorp.com/agent-inject-secret-{{ $name }}: {{ $place.path | quote }}
vault.hashicorp.com/agent-inject-perms-{{ $name }}: "0440"
vault.hashicorp.com/agent-inject-template-{{ $name }}: |-
  {{ printf "{{- with secret %q -}}{{ index .Data.data %q }}{{- end -}}" $place.path $place.field }}
{{- end }}
{{- end -}}

{{- /* A claim. `name`, `at`: size and class, `mode`, `labels`. */ -}}
{{- define "glovebox.claim" -}}
accessModes: [{{ .mode }}]
{{- with .at.storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources: { requests: { storage: {{ .at.size }} } }
{{- end -}}
