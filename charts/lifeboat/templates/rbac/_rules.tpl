{{/* What the operator does in each namespace that it looks after. */}}
{{- define "lifeboat.queueRules" -}}
# Queues are the users': the operator writes their status, and takes back annotations by which it
# was asked for something once.
- apiGroups: [lifeboat.dev]
  resources: [persistentqueues]
  verbs: [get, list, watch, patch]
- apiGroups: [lifeboat.dev]
  resources: [persistentqueues/status]
  verbs: [get, patch]
# An owner that blocks its own deletion, where the cluster checks that (OwnerReferencesPermissionEnforcement).
- apiGroups: [lifeboat.dev]
  resources: [persistentqueues/finalizers]
  verbs: [update]
# What it makes of a queue.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# What the StatefulSet makes: labels and annotations, one pod restarted, one claim grown or removed.
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [get, list, watch, patch, delete]
# What it tells about them; repeats are counted by patching.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What it reads that belongs to no namespace. */}}
{{- define "lifeboat.clusterRules" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [get, list, watch]
{{- end -}}
