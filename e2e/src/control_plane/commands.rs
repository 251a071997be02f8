//! The command line of each program. What is not said is at Kubernetes' defaults, admission
//! plugins and controllers above all.

use std::path::Path;
use std::process::Command;

use super::audit;
use super::credentials::{CONTROLLERS, Credentials};
use super::place::Place;
use super::run_directory::RunDirectory;
use crate::error::Result;
use crate::tools;

/// Addresses of Services.
const SERVICES: &str = "10.0.0.0/20";

/// etcd on 127.0.0.1, whose clients are on this machine. Nothing outlives the test, so nothing needs to reach the disk.
pub(super) fn etcd(run: &RunDirectory, place: &Place) -> Result<Command> {
    let client = place.etcd();
    let mut command = Command::new(tools::path("etcd")?);
    flag(&mut command, "data-dir", run.file("etcd"));
    flag(&mut command, "listen-client-urls", &client);
    flag(&mut command, "advertise-client-urls", &client);
    flag(&mut command, "listen-peer-urls", "http://127.0.0.1:0");
    flag(&mut command, "unsafe-no-fsync", "true");
    flag(&mut command, "log-level", "warn");
    Ok(command)
}

/// The API server, with RBAC.
pub(super) fn api_server(
    run: &RunDirectory,
    credentials: &Credentials,
    place: &Place,
) -> Result<Command> {
    let address = place.address.to_string();
    let mut command = Command::new(tools::path("kube-apiserver")?);
    flag(&mut command, "etcd-servers", place.etcd());
    flag(&mut command, "bind-address", &address);
    flag(&mut command, "advertise-address", &address);
    flag(&mut command, "secure-port", place.api_port.to_string());
    flag(&mut command, "tls-cert-file", &credentials.certificate);
    flag(&mut command, "tls-private-key-file", &credentials.key);
    flag(&mut command, "token-auth-file", &credentials.tokens);
    flag(&mut command, "allow-privileged", "true");
    flag(&mut command, "audit-policy-file", audit::policy(run)?);
    flag(&mut command, "audit-log-path", audit::log(run));
    flag(&mut command, "service-cluster-ip-range", SERVICES);
    flag(&mut command, "service-account-issuer", "https://kubernetes.default.svc");
    flag(&mut command, "service-account-key-file", &credentials.token_public_key);
    flag(&mut command, "service-account-signing-key-file", &credentials.token_key);
    if place.nodes {
        flag(&mut command, "authorization-mode", "Node,RBAC");
        // By name it would have to ask the cluster's DNS, which it does not use.
        flag(&mut command, "kubelet-preferred-address-types", "InternalIP");
    } else {
        flag(&mut command, "authorization-mode", "RBAC");
        // No pod runs here that would look for the `kubernetes` Service.
        flag(&mut command, "endpoint-reconciler-type", "none");
    }
    Ok(command)
}

/// Every controller that is on by default and needs no cloud, each as its own service account, as
/// in most clusters: admission policies see the garbage collector as such.
pub(super) fn controllers(run: &RunDirectory, credentials: &Credentials) -> Result<Command> {
    let mut command = Command::new(tools::path("kube-controller-manager")?);
    flag(&mut command, "kubeconfig", run.file(CONTROLLERS.kubeconfig));
    flag(&mut command, "use-service-account-credentials", "true");
    flag(&mut command, "service-account-private-key-file", &credentials.token_key);
    flag(&mut command, "root-ca-file", &credentials.ca);
    flag(&mut command, "leader-elect", "false");
    // Hundreds of objects are made at once, and nobody else is to be spared.
    flag(&mut command, "kube-api-qps", "200");
    flag(&mut command, "kube-api-burst", "400");
    // It serves nothing that a test asks for.
    flag(&mut command, "secure-port", "0");
    Ok(command)
}

pub(crate) fn flag(command: &mut Command, name: &str, value: impl AsRef<Path>) {
    let mut argument = std::ffi::OsString::from(format!("--{name}="));
    argument.push(value.as_ref());
    command.arg(argument);
}
