{{/* Where a policy's binding applies: where this operator works. */}}
{{- define "lifeboat.bindingResources" -}}
{{- with .Values.watchNamespaces }}
matchResources:
  namespaceSelector:
    matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end }}
{{- end -}}

{{/* A namespace that is being deleted takes everything along; whoever said so has been asked. */}}
{{- define "lifeboat.namespaceGoes" -}}
has(namespaceObject.metadata.deletionTimestamp)
{{- end -}}
