//! Who may speak for whom: the authority, the API server's certificate, the key that signs tokens
//! of service accounts, and the fixed tokens of the administrator, the controllers and what runs on a node.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rand::RngCore as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

use super::place::Place;
use super::run_directory::RunDirectory;
use crate::error::{Error, Result};

/// A user with a token that never changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    /// Its name, for RBAC.
    name: &'static str,
    /// Its group.
    group: &'static str,
    /// The file of its kubeconfig.
    pub(crate) kubeconfig: &'static str,
}

/// The administrator: RBAC does not bind `system:masters`.
pub(crate) const ADMIN: User =
    User { name: "admin", group: "system:masters", kubeconfig: "admin.kubeconfig" };
/// The controller manager.
pub(super) const CONTROLLERS: User = User {
    name: "system:kube-controller-manager",
    group: "",
    kubeconfig: "controllers.kubeconfig",
};

/// The scheduler.
pub(crate) const SCHEDULER: User =
    User { name: "system:kube-scheduler", group: "", kubeconfig: "scheduler.kubeconfig" };
/// The kubelet of node-1.
pub(crate) const KUBELET: User =
    User { name: "system:node:node-1", group: "system:nodes", kubeconfig: "kubelet.kubeconfig" };
/// What spreads connections to Services.
pub(crate) const PROXY: User =
    User { name: "system:kube-proxy", group: "", kubeconfig: "proxy.kubeconfig" };

/// The first address of Services: the API server's, as pods see it.
const IN_PODS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// Paths of what the programs are started with, and what a kubeconfig is made of.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The authority's certificate.
    pub(super) ca: PathBuf,
    /// The API server's certificate.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
    /// The key that signs tokens of service accounts.
    pub(super) token_key: PathBuf,
    /// The public half, by which they are checked.
    pub(super) token_public_key: PathBuf,
    /// The fixed tokens.
    pub(super) tokens: PathBuf,
    server: String,
    ca_pem: String,
}

impl Credentials {
    /// Makes all of them anew and writes them down, with a kubeconfig for each fixed user.
    pub(super) fn create(run: &RunDirectory, place: &Place) -> Result<Self> {
        let (authority, certificate, key) = certificates(place.address)?;
        let token_key = KeyPair::generate()?;
        let credentials = Self {
            ca: run.file("ca.crt"),
            certificate: run.file("api-server.crt"),
            key: run.file("api-server.key"),
            token_key: run.file("tokens.key"),
            token_public_key: run.file("tokens.pub"),
            tokens: run.file("tokens.csv"),
            server: format!("https://{}:{}", place.address, place.api_port),
            ca_pem: authority,
        };
        let mut tokens = Vec::new();
        for (id, user) in [ADMIN, CONTROLLERS, SCHEDULER, KUBELET, PROXY].into_iter().enumerate() {
            let token = random_token();
            tokens.push(format!("{token},{},{id},\"{}\"\n", user.name, user.group));
            let kubeconfig = credentials.kubeconfig(&token).to_string();
            write(&run.file(user.kubeconfig), &kubeconfig)?;
        }
        write(&credentials.ca, &credentials.ca_pem)?;
        write(&credentials.certificate, &certificate)?;
        write(&credentials.key, &key)?;
        write(&credentials.token_key, &token_key.serialize_pem())?;
        write(&credentials.token_public_key, &token_key.public_key_pem())?;
        write(&credentials.tokens, &tokens.concat())?;
        Ok(credentials)
    }

    /// The kubeconfig of whoever has this token; JSON is YAML too.
    pub(super) fn kubeconfig(&self, token: &str) -> Value {
        let ca = BASE64_STANDARD.encode(&self.ca_pem);
        let cluster = json!({"server": self.server, "certificate-authority-data": ca});
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        })
    }
}

/// An authority's certificate, and a server's certificate and key for this address, all PEM.
fn certificates(address: Ipv4Addr) -> Result<(String, String, String)> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "lifeboat-e2e");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.subject_alt_names =
        [address, IN_PODS].map(|address| SanType::IpAddress(IpAddr::V4(address))).to_vec();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok((authority.pem(), certificate.pem(), key.serialize_pem()))
}

fn random_token() -> String {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io(format!("writing {}", path.display())))
}
