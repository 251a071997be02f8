//! The chart on a real API server: accepted without a warning, no rights too many or too few, and
//! admission policies that keep messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lifeboat_e2e::{ControlPlane, FakeNode, Nothing, until};

/// Where the operator is installed.
const NAMESPACE: &str = "lifeboat-system";

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/lifeboat")
}

/// A program of the control plane, with these arguments and this input.
fn run(mut command: Command, arguments: &[&str], input: &str) -> Output {
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// kubectl that succeeds without a warning; answers what it says.
fn kubectl(plane: &ControlPlane, arguments: &[&str], input: &str) -> String {
    let output = run(plane.kubectl().unwrap(), arguments, input);
    let warned = String::from_utf8_lossy(&output.stderr).contains("Warning");
    assert!(output.status.success() && !warned, "kubectl {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// kubectl that is refused; answers why.
fn refused(plane: &ControlPlane, arguments: &[&str]) -> Result<String, String> {
    let output = run(plane.kubectl().unwrap(), arguments, "");
    if output.status.success() {
        return Err(format!("kubectl {arguments:?} went through"));
    }
    Ok(String::from_utf8(output.stderr).unwrap())
}

/// helm that succeeds; answers what it says.
fn helm(plane: &ControlPlane, arguments: &[&str]) -> String {
    let mut command = plane.helm().unwrap();
    command.args(["--namespace", NAMESPACE]);
    let output = run(command, arguments, "");
    assert!(output.status.success(), "helm {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn install(plane: &ControlPlane, more: &[&str]) {
    let chart = chart();
    let mut arguments = vec!["install", "lifeboat", chart.to_str().unwrap(), "--create-namespace"];
    arguments.extend(more);
    helm(plane, &arguments);
}

/// A queue, and the claim of its only replica.
const ORDERS: &str = r#"
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {name: orders}
spec:
  storage: {size: 1Gi, whenDeleted: Delete}
  streams:
    - name: work
      ingress: [{name: in, socket: ROUTER, protocol: Receipt, bind: "tcp://*:5556"}]
      deliveries: [{name: workers, socket: ROUTER, protocol: Credit}]
  template:
    spec: {containers: [{name: app, image: "shop/worker:1"}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: lifeboat-data-orders-0, labels: {lifeboat.dev/queue: orders}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;

const QUEUE: &str = "persistentqueue/orders";
const CLAIM: &str = "persistentvolumeclaim/lifeboat-data-orders-0";

/// What the operator would report.
fn holds(plane: &ControlPlane, namespace: &str, status: &str) {
    let patch = ["patch", QUEUE, "-n", namespace, "--subresource=status", "--type=merge", "-p"];
    kubectl(plane, &[&patch[..], &[status]].concat(), "");
}

/// Waits until the policies are in force, which is a moment after they were made.
async fn until_guarded(plane: &ControlPlane, namespace: &str) {
    until_refused(plane, &["delete", "--dry-run=server", "-n", namespace, CLAIM]).await;
}

/// The same of one of them: why it refuses this.
async fn until_refused(plane: &ControlPlane, arguments: &[&str]) -> String {
    until("a policy in force", async || refused(plane, arguments)).await.unwrap()
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn every_render_is_accepted_without_a_warning() {
    let plane = ControlPlane::start().await.unwrap();
    for namespace in [NAMESPACE, "shop", "lab"] {
        kubectl(&plane, &["create", "namespace", namespace], "");
    }
    for values in ["default", "namespaced", "everything"] {
        let file = chart().join(format!("golden/{values}.values.yaml"));
        // The Prometheus operator's definitions are not ours to bring.
        let arguments = ["--set", "podMonitor.enabled=false", "-f", file.to_str().unwrap()];
        let chart = chart();
        let render = ["template", "lifeboat", chart.to_str().unwrap()];
        let render = helm(&plane, &[&render[..], &arguments[..]].concat());
        assert!(render.contains("kind: CustomResourceDefinition"));
        // Not a dry run: the test's pod is admitted only where its account is.
        kubectl(&plane, &["apply", "--server-side", "--validate=strict", "-f", "-"], &render);
    }
    // The API server looks over the policies' expressions by the definition's schema.
    let policies = ["get", "validatingadmissionpolicies", "-o"];
    let checked = "jsonpath={range .items[*]}{.status.typeChecking}{end}";
    until("policies that were looked over", async || {
        let checked = kubectl(&plane, &[&policies[..], &[checked]].concat(), "");
        (checked == "{}".repeat(4)).then_some(()).ok_or(checked)
    })
    .await
    .unwrap();
}

// The node is played while helm waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn it_comes_up_where_pods_are_restricted_is_upgraded_and_leaves_the_queues() {
    let plane = ControlPlane::start().await.unwrap();
    let _node = FakeNode::run(plane.client(), Nothing).await.unwrap();
    kubectl(&plane, &["create", "namespace", NAMESPACE], "");
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&plane, &["label", "namespace", NAMESPACE, level], "");
    install(&plane, &["--wait", "--timeout=60s"]);
    kubectl(&plane, &["apply", "-f", "-"], ORDERS);

    let chart = chart();
    helm(&plane, &["upgrade", "lifeboat", chart.to_str().unwrap(), "--wait", "--timeout=60s"]);
    helm(&plane, &["uninstall", "lifeboat", "--wait", "--timeout=60s"]);
    kubectl(&plane, &["get", QUEUE, CLAIM], "");
    // And a release that comes back takes the definition over.
    install(&plane, &["--wait", "--timeout=60s"]);
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn what_holds_messages_is_not_deleted_by_the_way() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane, &[]);
    kubectl(&plane, &["apply", "-f", "-"], ORDERS);
    until_guarded(&plane, "default").await;
    let delete = ["delete", "--dry-run=server", QUEUE];

    // Nothing reported, or nothing held.
    kubectl(&plane, &delete, "");
    holds(&plane, "default", r#"{"status": {"backlog": {"messages": 0, "deadLettered": 0}}}"#);
    kubectl(&plane, &delete, "");

    for held in [
        r#"{"status": {"backlog": {"messages": 3, "deadLettered": 0}}}"#,
        r#"{"status": {"backlog": {"messages": 0, "deadLettered": 1}}}"#,
    ] {
        holds(&plane, "default", held);
        let why = until_refused(&plane, &delete).await;
        assert!(why.contains("still holds") && why.contains("lifeboat.dev/allow-delete"), "{why}");
    }
    let retain = r#"{"spec": {"storage": {"whenDeleted": "Retain"}}}"#;
    kubectl(&plane, &["patch", QUEUE, "--type=merge", "-p", retain], "");
    kubectl(&plane, &delete, "");
    // Nor before the operator has seen that: the claims would still go, whatever is in them.
    holds(&plane, "default", r#"{"status": {"storage": {"ownedClaims": 2}}}"#);
    let why = refused(&plane, &delete).unwrap();
    assert!(why.contains("still owns 2 claims") && why.contains("ownedClaims is 0"), "{why}");
    holds(&plane, "default", r#"{"status": {"storage": {"ownedClaims": 0}}}"#);
    kubectl(&plane, &delete, "");
    let remove = r#"{"spec": {"storage": {"whenDeleted": "Delete"}}}"#;
    kubectl(&plane, &["patch", QUEUE, "--type=merge", "-p", remove], "");
    refused(&plane, &delete).unwrap();
    kubectl(&plane, &["annotate", QUEUE, "lifeboat.dev/allow-delete=true"], "");
    kubectl(&plane, &["delete", QUEUE], "");

    // The claim: not by anybody, but by the operator, and by who says so.
    let delete = ["delete", "--dry-run=server", CLAIM];
    let why = refused(&plane, &delete).unwrap();
    assert!(why.contains("holds messages of PersistentQueue orders"), "{why}");
    let operator = format!("--as=system:serviceaccount:{NAMESPACE}:lifeboat");
    kubectl(&plane, &[&delete[..], &[&operator]].concat(), "");
    kubectl(&plane, &["annotate", CLAIM, "lifeboat.dev/allow-delete=true"], "");
    kubectl(&plane, &["delete", CLAIM], "");
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_owner_or_a_namespace_that_goes_takes_claims_along() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane, &[]);
    for namespace in ["shop", "lab"] {
        kubectl(&plane, &["create", "namespace", namespace], "");
        kubectl(&plane, &["apply", "-n", namespace, "-f", "-"], ORDERS);
        until_guarded(&plane, namespace).await;
    }

    // What `whenDeleted: Delete` is made of: the claim's owner is the queue.
    let uid = kubectl(&plane, &["get", QUEUE, "-n", "shop", "-o", "jsonpath={.metadata.uid}"], "");
    let owner = format!(
        r#"{{"metadata": {{"ownerReferences": [{{"apiVersion": "lifeboat.dev/v1alpha1",
            "kind": "PersistentQueue", "name": "orders", "uid": "{uid}"}}]}}}}"#
    );
    kubectl(&plane, &["patch", CLAIM, "-n", "shop", "--type=merge", "-p", &owner], "");
    kubectl(&plane, &["delete", QUEUE, "-n", "shop"], "");
    until("a claim that was collected", async || {
        let left = kubectl(&plane, &["get", "pvc", "-n", "shop", "-o", "name"], "");
        left.is_empty().then_some(()).ok_or(left)
    })
    .await
    .unwrap();

    holds(&plane, "lab", r#"{"status": {"backlog": {"messages": 3}}}"#);
    kubectl(&plane, &["delete", "namespace", "lab", "--timeout=60s"], "");
}

/// What may be done by whom, in the words of `kubectl auth can-i`.
fn may(plane: &ControlPlane, who: &str, namespace: &str, what: &str) -> bool {
    let who = format!("--as=system:serviceaccount:{NAMESPACE}:{who}");
    let mut arguments = vec!["auth", "can-i", "-n", namespace, &who];
    arguments.extend(what.split_whitespace());
    run(plane.kubectl().unwrap(), &arguments, "").status.success()
}

/// Waits until that may be done, or may not any more: roles and bindings are in force a moment after
/// they were made.
async fn until_may(plane: &ControlPlane, may_be: bool, who: &str, namespace: &str, what: &str) {
    until(&format!("that {who} may {what} in {namespace}: {may_be}"), async || {
        let is = may(plane, who, namespace, what) == may_be;
        is.then_some(()).ok_or("not yet".to_owned())
    })
    .await
    .unwrap();
}

/// What the operator needs where it works.
const NEEDED: [&str; 12] = [
    "watch persistentqueues.lifeboat.dev",
    "patch persistentqueues.lifeboat.dev --subresource=status",
    "create statefulsets.apps",
    "patch configmaps",
    "delete services",
    "create poddisruptionbudgets.policy",
    "create networkpolicies.networking.k8s.io",
    "patch pods",
    "delete persistentvolumeclaims",
    "patch persistentvolumeclaims",
    "create events.events.k8s.io",
    "patch events.events.k8s.io",
];

/// What it never gets.
const DENIED: [&str; 9] = [
    "get secrets",
    "create pods",
    "create pods --subresource=exec",
    "create persistentvolumeclaims",
    "delete persistentqueues.lifeboat.dev",
    "create roles.rbac.authorization.k8s.io",
    "delete nodes",
    "delete namespaces",
    "patch deployments.apps",
];

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn the_operator_may_do_what_it_needs_and_no_more() {
    let plane = ControlPlane::start().await.unwrap();
    for namespace in ["shop", "lab"] {
        kubectl(&plane, &["create", "namespace", namespace], "");
    }
    install(&plane, &[]);
    let lease = "update leases.coordination.k8s.io/lifeboat";
    until_may(&plane, true, "lifeboat", "lab", NEEDED[0]).await;
    until_may(&plane, true, "lifeboat", NAMESPACE, lease).await;
    for what in NEEDED {
        assert!(may(&plane, "lifeboat", "lab", what), "{what:?}");
    }
    for what in DENIED {
        assert!(!may(&plane, "lifeboat", "lab", what), "{what:?}");
    }
    assert!(!may(&plane, "lifeboat", "lab", lease));
    helm(&plane, &["uninstall", "lifeboat"]);
    until_may(&plane, false, "lifeboat", "lab", NEEDED[0]).await;
    until_may(&plane, false, "lifeboat", NAMESPACE, lease).await;

    install(&plane, &["--set", "watchNamespaces={shop}"]);
    until_may(&plane, true, "lifeboat", "shop", NEEDED[0]).await;
    for what in NEEDED {
        assert!(may(&plane, "lifeboat", "shop", what), "{what:?} where it works");
        assert!(!may(&plane, "lifeboat", "lab", what), "{what:?} elsewhere");
    }
    until_may(&plane, true, "lifeboat", "lab", "list nodes").await;
    until_may(&plane, true, "lifeboat", NAMESPACE, lease).await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn users_of_a_namespace_may_use_its_queues() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane, &[]);
    for role in ["view", "edit"] {
        let account = format!("--serviceaccount={NAMESPACE}:{role}");
        let role = format!("--clusterrole={role}");
        kubectl(
            &plane,
            &["create", "rolebinding", &role[14..], "-n", "default", &role, &account],
            "",
        );
    }
    until_may(&plane, true, "edit", "default", "create persistentqueues.lifeboat.dev").await;
    until_may(&plane, true, "view", "default", "get persistentqueues.lifeboat.dev").await;
    assert!(!may(&plane, "view", "default", "delete persistentqueues.lifeboat.dev"));
    assert!(may(&plane, "edit", "default", "delete persistentqueues.lifeboat.dev"));
    assert!(may(
        &plane,
        "edit",
        "default",
        "patch persistentqueues.lifeboat.dev --subresource=scale"
    ));
    assert!(!may(
        &plane,
        "edit",
        "default",
        "patch persistentqueues.lifeboat.dev --subresource=status"
    ));
}
