//! What a shop consists of, as a user would write it.

use crate::images::APP;

/// What a shop's queue is to be.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenarios) struct Queue<'a> {
    pub(in crate::scenarios) replicas: u32,
    /// Variables of its application, beside those that it always has.
    pub(in crate::scenarios) env: &'a [(&'a str, &'a str)],
    /// What becomes of messages that find no room.
    pub(in crate::scenarios) on_full: &'a str,
    /// What its application may use.
    pub(in crate::scenarios) memory: &'a str,
}

impl Default for Queue<'_> {
    fn default() -> Self {
        Self { replicas: 1, env: &[], on_full: "Block", memory: "256Mi" }
    }
}

impl Queue<'_> {
    pub(super) fn manifest(&self) -> String {
        let Self { replicas, on_full, memory, .. } = self;
        let more =
            self.env.iter().map(|(name, value)| format!(", {{name: {name}, value: {value:?}}}"));
        let more: String = more.collect();
        format!(
            r#"
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {{name: orders}}
spec:
  replicas: {replicas}
  storage: {{size: 64Mi}}
  streams:
    - name: work
      ingress: [{{name: in, socket: ROUTER, protocol: Receipt, bind: "tcp://*:5556"}}]
      deliveries: [{{name: workers, socket: ROUTER, protocol: Credit, ackTimeout: 30s}}]
      retention: {{onFull: {on_full}}}
  networkPolicy: {{from: [{{namespaceSelector: {{}}}}]}}
  template:
    spec:
      {SECURITY}
      containers:
        - name: app
          image: "{APP}"
          command: [python3, -u, /app/worker.py]
          env: [{{name: COLLECTOR, value: "tcp://collector:7000"}}{more}]
          resources: {{limits: {{memory: {memory}}}}}
          securityContext: {CONTAINER_SECURITY}
"#
        )
    }
}

const SECURITY: &str = "securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}";
const CONTAINER_SECURITY: &str = "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";

/// A namespace under the strictest Pod Security.
pub(in crate::scenarios) fn restricted_namespace(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: {name}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}
"
    )
}

/// A pod that keeps its counts in a directory that outlives its container.
pub(super) fn counted_pod(name: &str, namespace: &str, command: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 1
  {SECURITY}
  containers:
    - name: app
      image: "{APP}"
      command: {command}
      volumeMounts: [{{name: state, mountPath: /state}}]
      securityContext: {CONTAINER_SECURITY}
  volumes: [{{name: state, emptyDir: {{}}}}]
"#
    )
}

pub(super) const COLLECTOR_SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: collector}
spec: {selector: {app: collector}, ports: [{port: 7000}]}
";
