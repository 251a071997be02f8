{{- define "lifeboat.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of what belongs to no namespace: releases in two namespaces may have one name. */}}
{{- define "lifeboat.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "lifeboat.fullname" .) | trunc 200 | trimSuffix "-" -}}
{{- end -}}

{{- define "lifeboat.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "lifeboat.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "lifeboat.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "lifeboat.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lifeboat.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image's reference, of the map `image` and the chart's version. */}}
{{- define "lifeboat.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "lifeboat.operatorImage" -}}
{{- include "lifeboat.image" (dict "image" .Values.image "chart" .Chart) -}}
{{- end -}}

{{- define "lifeboat.sidecarImage" -}}
{{- include "lifeboat.image" (dict "image" .Values.sidecarImage "chart" .Chart) -}}
{{- end -}}

{{/* What every pod of this chart is restricted to; the images bring no other user. */}}
{{- define "lifeboat.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "lifeboat.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The operator as the subject of a role binding. */}}
{{- define "lifeboat.subjects" -}}
- kind: ServiceAccount
  name: {{ include "lifeboat.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* The namespace of `helm test`: one that the operator looks after. */}}
{{- define "lifeboat.testNamespace" -}}
{{- first (append .Values.watchNamespaces .Release.Namespace) -}}
{{- end -}}
