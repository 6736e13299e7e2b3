{{- /* The cluster: a scheduler, and executors that have the manifests of all pipelines with `cluster: true`. */ -}}

{{- define "glovebox.scheduler.name" -}}{{ include "glovebox.fullname" . }}-scheduler{{- end -}}

{{- define "glovebox.executor.name" -}}{{ include "glovebox.fullname" . }}-executor{{- end -}}

{{- define "glovebox.scheduler.selector" -}}
{{ include "glovebox.selector" . }}
app.kubernetes.io/component: scheduler
{{- end -}}

{{- define "glovebox.executor.selector" -}}
{{ include "glovebox.selector" . }}
app.kubernetes.io/component: executor
{{- end -}}

{{- /* One of the names in the scheduler's certificate. */ -}}
{{- define "glovebox.scheduler.host" -}}{{ include "glovebox.scheduler.name" . }}.{{ .Release.Namespace }}.svc{{- end -}}

{{- define "glovebox.scheduler.url" -}}https://{{ include "glovebox.scheduler.host" . }}:50050{{- end -}}

{{- /* The Secret with a role's certificate. `root`, `role`. */ -}}
{{- define "glovebox.cluster.secret" -}}
{{- default (printf "%s-%s-certificate" (include "glovebox.fullname" .root) .role) (get .root.Values.cluster.certificates .role) -}}
{{- end -}}

{{- define "glovebox.cluster.volume" -}}
- name: cluster
  secret: { secretName: {{ include "glovebox.cluster.secret" . }}, defaultMode: 0440 }
{{- end -}}

{{- define "glovebox.cluster.mount" -}}
- { name: cluster, mountPath: /run/glovebox-cluster, readOnly: true }
{{- end -}}

{{- /* The ConfigMap with a pipeline's manifest. `root`, `pipeline`. */ -}}
{{- define "glovebox.run.manifests" -}}
{{- default (printf "%s-manifests" (include "glovebox.fullname" .root)) .pipeline.existingConfigMap -}}
{{- end -}}

{{- /* Manifest → its ConfigMap, of all pipelines that the cluster works on. */ -}}
{{- define "glovebox.cluster.manifests" -}}
{{- $manifests := dict -}}
{{- range .Values.pipelines -}}
{{- if .cluster -}}
{{- $_ := set $manifests .manifest (include "glovebox.run.manifests" (dict "root" $ "pipeline" .)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $manifests -}}
{{- end -}}

{{- /* The most executors that there may be. */ -}}
{{- define "glovebox.executor.most" -}}
{{- with .Values.cluster.executors -}}
{{- if .autoscaling.enabled -}}{{ .autoscaling.maxReplicas | int }}
{{- else if .keda.enabled -}}{{ .keda.maxReplicas | int }}
{{- else -}}{{ .replicas | int }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "glovebox.scheduler.template" -}}
{{- $at := .Values.cluster.scheduler -}}
metadata:
  labels: {{- include "glovebox.scheduler.selector" . | nindent 4 }}
    {{- with $at.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $at.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "glovebox.pod" (dict "root" . "at" $at) | nindent 2 }}
  containers:
    - name: scheduler
      image: {{ include "glovebox.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- range list "--log-format" "json" "--log" .Values.logLevel "cluster" "scheduler" "--listen" (printf "%s:50050" $at.address) "--metrics" (printf "%s:9100" $at.address) "--certificates" "/run/glovebox-cluster" "--dead-after" ($at.deadAfterSeconds | int) }}
        - {{ . | toString | quote }}
        {{- end }}
      ports:
        - { name: grpc, containerPort: 50050 }
        - { name: metrics, containerPort: 9100 }
      securityContext: {{- include "glovebox.containerSecurity" . | nindent 8 }}
      # It asks for certificates where it matters; whether it lives is told to anybody.
      readinessProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 5, timeoutSeconds: 3 }
      livenessProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }
      resources: {{- toYaml $at.resources | nindent 8 }}
      # No manifest, no secret of a pipeline, no row.
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- include "glovebox.cluster.mount" . | nindent 8 }}
  volumes:
    - name: tmp
      emptyDir: { sizeLimit: 64Mi }
    {{- include "glovebox.cluster.volume" (dict "root" . "role" "scheduler") | nindent 4 }}
{{- end -}}

{{- define "glovebox.executor.template" -}}
{{- $at := .Values.cluster.executors -}}
{{- $manifests := include "glovebox.cluster.manifests" . | fromYaml -}}
{{- $common := dict "root" . "at" $at -}}
{{- $args := list "--log-format" "json" "--log" .Values.logLevel "cluster" "executor" -}}
{{- $texts := dict -}}
{{- range keys $manifests | sortAlpha -}}
{{- $args = append $args (printf "/etc/glovebox/manifests/%s" .) -}}
{{- $_ := set $texts . (get $.Values.manifests .) -}}
{{- end -}}
{{- $args = concat $args (list "--scheduler" (include "glovebox.scheduler.url" .) "--certificates" "/run/glovebox-cluster" "--slots" ($at.slots | int)) -}}
{{- with $at.workers | int -}}
{{- $args = concat $args (list "--workers" .) -}}
{{- end -}}
metadata:
  labels: {{- include "glovebox.executor.selector" . | nindent 4 }}
    {{- with $at.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A run is refused by executors that have another manifest than it.
    checksum/manifests: {{ $texts | toJson | sha256sum }}
    {{- if $at.secrets.vault }}
    {{- include "glovebox.vault" $common | nindent 4 }}
    {{- end }}
    {{- with $at.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "glovebox.pod" $common | nindent 2 }}
  topologySpreadConstraints:
    {{- if $at.topologySpreadConstraints }}
    {{- toYaml $at.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "glovebox.executor.selector" . | nindent 10 }}
    {{- end }}
  containers:
    - name: executor
      image: {{ include "glovebox.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- range concat $args $at.args }}
        - {{ . | toString | quote }}
        {{- end }}
      securityContext: {{- include "glovebox.containerSecurity" . | nindent 8 }}
      env: {{- include "glovebox.env" $common | nindent 8 }}
      # It has no port, so there is nothing to probe: the scheduler knows whether it lives.
      resources: {{- toYaml $at.resources | nindent 8 }}
      volumeMounts:
        {{- include "glovebox.mounts" (set (deepCopy $common) "manifests" "those below") | nindent 8 }}
        {{- include "glovebox.cluster.mount" . | nindent 8 }}
  volumes:
    # The list of rejects is the run's to write, so nothing in here is worth keeping.
    - name: state
      emptyDir: {}
    - name: manifests
      projected:
        sources:
          {{- range values $manifests | uniq | sortAlpha }}
          {{- $configMap := . }}
          - configMap:
              name: {{ . }}
              items:
                {{- range $file, $of := $manifests }}
                {{- if eq $of $configMap }}
                - { key: {{ $file | quote }}, path: {{ $file | quote }} }
                {{- end }}
                {{- end }}
          {{- end }}
    {{- include "glovebox.cluster.volume" (dict "root" . "role" "executor") | nindent 4 }}
    {{- include "glovebox.volumes" $common | nindent 4 }}
{{- end -}}
