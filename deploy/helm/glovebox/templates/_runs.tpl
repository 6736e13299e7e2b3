{{- /* A run: the values of a pipeline over the defaults, and the Job that both Jobs and CronJobs have. */ -}}

{{- define "glovebox.run.name" -}}{{ include "glovebox.fullname" .root }}-run-{{ .at.name }}{{- end -}}

{{- define "glovebox.run.values" -}}
{{- $own := dict "secrets" dict "existingConfigMap" "" "cluster" false -}}
{{- mergeOverwrite (deepCopy .root.Values.runDefaults) $own (deepCopy .pipeline) | toYaml -}}
{{- end -}}

{{- define "glovebox.run.labels" -}}
{{ include "glovebox.selector" .root }}
app.kubernetes.io/component: run
pipeline: {{ .at.name }}
{{- end -}}

{{- define "glovebox.run.job" -}}
{{- $at := .at -}}
{{- $root := .root -}}
{{- $manifests := include "glovebox.run.manifests" (dict "root" $root "pipeline" $at) -}}
{{- $args := list "--log-format" "json" "--log" $root.Values.logLevel "run" (printf "/etc/glovebox/manifests/%s" $at.manifest) "--report" "-" -}}
{{- if $at.cluster -}}
{{- $args = concat $args (list "--cluster" (include "glovebox.scheduler.url" $root) "--certificates" "/run/glovebox-cluster") -}}
{{- end -}}
{{- $common := dict "root" $root "at" $at "manifests" $manifests -}}
backoffLimit: {{ $at.backoffLimit | int }}
{{- with $at.activeDeadlineSeconds | int }}
activeDeadlineSeconds: {{ . }}
{{- end }}
{{- with $at.ttlSecondsAfterFinished | int }}
ttlSecondsAfterFinished: {{ . }}
{{- end }}
podFailurePolicy:
  rules:
    # A Pod that a node has let go has not failed.
    - action: Ignore
      onPodConditions: [{ type: DisruptionTarget, status: "True" }]
    # 2: command line, manifest or secret is wrong, or the rows are already stored. 3: too many rejects. Another try
    # would end the same way.{{ if $at.secrets.token }} Not so with 2 if secrets are asked for and Vault is away.{{ end }}
    - action: FailJob
      onExitCodes: { containerName: run, operator: In, values: {{ ternary "[3]" "[2, 3]" (default false $at.secrets.token) }} }
template:
  metadata:
    labels: {{- include "glovebox.run.labels" . | nindent 6 }}
      {{- with $at.podLabels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    annotations:
      {{- if not $at.existingConfigMap }}
      checksum/manifest: {{ get $root.Values.manifests $at.manifest | sha256sum }}
      {{- end }}
      {{- if $at.secrets.vault }}
      {{- include "glovebox.vault" $common | nindent 6 }}
      {{- end }}
      {{- with $at.podAnnotations }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  spec:
    {{- include "glovebox.pod" $common | nindent 4 }}
    # What podFailurePolicy needs.
    restartPolicy: Never
    containers:
      - name: run
        image: {{ include "glovebox.image" $root }}
        imagePullPolicy: {{ $root.Values.image.pullPolicy }}
        args:
          {{- range concat $args $at.args }}
          - {{ . | quote }}
          {{- end }}
        securityContext: {{- include "glovebox.containerSecurity" $root | nindent 10 }}
        env: {{- include "glovebox.env" $common | nindent 10 }}
        resources: {{- toYaml $at.resources | nindent 10 }}
        volumeMounts: {{- include "glovebox.mounts" $common | nindent 10 }}
          {{- if $at.cluster }}
          {{- include "glovebox.cluster.mount" . | nindent 10 }}
          {{- end }}
    volumes:
      - name: state
        {{- if $at.persistence.enabled }}
        persistentVolumeClaim: { claimName: {{ default (include "glovebox.run.name" .) $at.persistence.existingClaim }} }
        {{- else }}
        emptyDir: {}
        {{- end }}
      {{- if $at.cluster }}
      {{- include "glovebox.cluster.volume" (dict "root" $root "role" "client") | nindent 6 }}
      {{- end }}
      {{- include "glovebox.volumes" $common | nindent 6 }}
{{- end -}}
