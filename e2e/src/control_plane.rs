//! etcd, kube-apiserver and kube-controller-manager for one test, on ports and files of their own.

mod audit;
pub(crate) mod commands;
pub(crate) mod credentials;
pub(crate) mod place;
mod run_directory;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::error::{Error, Result};
use crate::{process::Process, tools, until};
use credentials::{ADMIN, Credentials};
use place::Place;
use run_directory::RunDirectory;

/// Starts, when a port is snatched away in between, before it counts as failed.
const TRIES: usize = 3;
/// Of a service account's token, in seconds. The API server allows no less than 10 minutes.
const TOKEN_LIFE: i64 = 3_600;

/// A control plane. Dropping it kills its processes and removes its files; if the thread panics,
/// its logs stay in `$LIFEBOAT_E2E_LOGS`, or below the temporary directory, and stderr says where.
pub struct ControlPlane {
    // Fields are dropped in this order: processes before the files that they write.
    _controllers: Process,
    api_server: Option<Process>,
    _etcd: Process,
    client: Client,
    credentials: Credentials,
    place: Place,
    run: RunDirectory,
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane").field("run", &self.run).finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Starts one, and returns when it is ready: the API server says so, and a controller has made
    /// the first service account.
    ///
    /// # Errors
    /// `MissingTool`; `Ended` or `Deadline` where a program does not come up.
    pub async fn start() -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::start_in(RunDirectory::create()?, Place::among_others()?).await {
                // Most likely a port that another process took first.
                Err(Error::Ended { .. }) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    /// Starts one at this place, whose files lie in a directory that outlives it.
    pub(crate) async fn start_at(directory: &Path, place: Place) -> Result<Self> {
        Self::start_in(RunDirectory::given(directory)?, place).await
    }

    async fn start_in(run: RunDirectory, place: Place) -> Result<Self> {
        let credentials = Credentials::create(&run, &place)?;
        match Self::assemble(&run, &credentials, &place).await {
            Ok((etcd, api_server, controllers, client)) => Ok(Self {
                _controllers: controllers,
                api_server: Some(api_server),
                _etcd: etcd,
                client,
                credentials,
                place,
                run,
            }),
            Err(error) => {
                run.keep_logs();
                Err(error)
            }
        }
    }

    async fn assemble(
        run: &RunDirectory,
        credentials: &Credentials,
        place: &Place,
    ) -> Result<(Process, Process, Process, Client)> {
        let logs = run.logs();
        let etcd = Process::start("etcd", commands::etcd(run, place)?, &logs)?;
        // The API server and the controllers wait for what they need themselves.
        let command = commands::api_server(run, credentials, place)?;
        let mut api_server = Process::start("api-server", command, &logs)?;
        let kubeconfig = Kubeconfig::read_from(run.file(ADMIN.kubeconfig))?;
        let client = client(kubeconfig).await?;
        until_ready(&client, &mut api_server).await?;
        let command = commands::controllers(run, credentials)?;
        let mut controllers = Process::start("controllers", command, &logs)?;
        until_controlled(&client, &mut controllers).await?;
        Ok((etcd, api_server, controllers, client))
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.run.file(ADMIN.kubeconfig)
    }

    /// Where each process writes what it prints, in a file of its own; kept if the test fails.
    pub fn logs(&self) -> PathBuf {
        self.run.logs()
    }

    /// Every request so far that was to change something, one audit event of JSON a line. It is
    /// written before the request is answered.
    pub fn audit_log(&self) -> PathBuf {
        audit::log(&self.run)
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client that may do what RBAC allows this service account, with a real token of it. The
    /// account must exist.
    ///
    /// # Errors
    /// `Api` where the token is refused.
    pub async fn client_as(&self, namespace: &str, service_account: &str) -> Result<Client> {
        let kubeconfig = self.kubeconfig_as(namespace, service_account).await?;
        client(Kubeconfig::read_from(kubeconfig)?).await
    }

    /// The same for programs: the kubeconfig of this service account, valid for an hour.
    ///
    /// # Errors
    /// `Api` where the token is refused; `Io`.
    pub async fn kubeconfig_as(&self, namespace: &str, service_account: &str) -> Result<PathBuf> {
        let what = format!("a token of {namespace}/{service_account}");
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let spec = TokenRequestSpec {
            expiration_seconds: Some(TOKEN_LIFE),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts
            .create_token_request(service_account, &PostParams::default(), &request)
            .await
            .map_err(Error::api(what.clone()))?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        let path = self.run.file(&format!("{namespace}.{service_account}.kubeconfig"));
        let kubeconfig = self.credentials.kubeconfig(&token).to_string();
        fs::write(&path, kubeconfig).map_err(Error::io(what))?;
        Ok(path)
    }

    /// `kubectl`, as the administrator. Waiting for it in a test that plays a node needs a runtime
    /// with several threads, or tokio's `Command`.
    ///
    /// # Errors
    /// `MissingTool`.
    pub fn kubectl(&self) -> Result<Command> {
        self.command("kubectl")
    }

    /// `helm`, as the administrator, with settings of its own.
    ///
    /// # Errors
    /// `MissingTool`.
    pub fn helm(&self) -> Result<Command> {
        let mut command = self.command("helm")?;
        for (variable, directory) in [
            ("HELM_CACHE_HOME", "helm/cache"),
            ("HELM_CONFIG_HOME", "helm/config"),
            ("HELM_DATA_HOME", "helm/data"),
        ] {
            command.env(variable, self.run.file(directory));
        }
        Ok(command)
    }

    fn command(&self, tool: &str) -> Result<Command> {
        let mut command = Command::new(tools::path(tool)?);
        command.env("KUBECONFIG", self.kubeconfig());
        Ok(command)
    }

    /// Kills the API server, as if its node were gone. Does nothing where it is stopped already.
    pub fn stop_api_server(&mut self) {
        self.api_server = None;
    }

    /// Starts it again, at the same address and with the same data, and waits until it is ready.
    ///
    /// # Errors
    /// `Ended` or `Deadline` where it does not come up.
    pub async fn start_api_server(&mut self) -> Result<()> {
        self.stop_api_server();
        let command = commands::api_server(&self.run, &self.credentials, &self.place)?;
        let mut api_server = Process::start("api-server", command, &self.run.logs())?;
        until_ready(&self.client, &mut api_server).await?;
        self.api_server = Some(api_server);
        Ok(())
    }
}

/// A client of the cluster that this file names. It asks once: a test wants to see refusals.
async fn client(kubeconfig: Kubeconfig) -> Result<Client> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.default_retry = false;
    Client::try_from(config).map_err(Error::api("making a client"))
}

/// Waits for `/readyz`, which covers admission, RBAC's default roles and the caches.
async fn until_ready(client: &Client, api_server: &mut Process) -> Result<()> {
    let mut ready = http::Request::new(Vec::new());
    *ready.uri_mut() = http::Uri::from_static("/readyz");
    until("an API server that is ready", async || {
        if let Err(ended) = api_server.check() {
            return Ok(Err(ended));
        }
        let answer = client.request_text(ready.clone()).await;
        answer.map(|_| Ok(())).map_err(|error| error.to_string())
    })
    .await?
}

/// Waits for the service account that every namespace gets; a pod needs it to be admitted.
async fn until_controlled(client: &Client, controllers: &mut Process) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
    until("controllers that make service accounts", async || {
        if let Err(ended) = controllers.check() {
            return Ok(Err(ended));
        }
        match accounts.get_opt("default").await {
            Ok(Some(_)) => Ok(Ok(())),
            Ok(None) => Err("no such service account".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?
}
