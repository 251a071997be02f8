//! One PersistentQueue, read: the operator's fields with their defaults, and the data plane, through
//! the validation that all of Lifeboat shares. It must not repair what a user wrote, nor stop at the
//! first problem.

mod ports;
mod template;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lifeboat_api::queue::{
    self, Claim, NetworkPolicy, OnTimeout, PersistentQueue, ScaleDownPolicy, Service,
    SidecarContainer, UpdateStrategyType,
};
use lifeboat_api::{Dataplane, DurationText, Problem, Problems, validate_dataplane};
use serde_json::Value;

pub use self::ports::{Port, ports};
pub use self::template::Template;
use crate::labels::Requests;
use crate::names::{ADMIN_PORT, SOCKET_DIRECTORY};

/// The sidecar's variable for its ordinal.
pub const ORDINAL_VARIABLE: &str = "LIFEBOAT_ORDINAL";
/// The sidecar's variable for its log.
pub const LOG_VARIABLE: &str = "LIFEBOAT_LOG";
/// The shortest `scaleDown.timeout`.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The most replicas of a queue: each ordinal has a place in the configuration.
pub const MAX_REPLICAS: i32 = 128;

/// A queue that the operator can make.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// What people ask by annotations.
    pub requests: Requests,
    /// The replicas that are wanted, 0 to [`MAX_REPLICAS`]; see also [`Queue::suspend`].
    pub replicas: i32,
    /// No pods, without draining.
    pub suspend: bool,
    /// The claim of each replica.
    pub claim: Claim,
    /// What happens to a replica that is to go.
    pub scale_down: ScaleDown,
    /// The application's pod template, as written.
    pub template: Template,
    /// The containers that get the sockets.
    pub containers: Vec<String>,
    /// How pods are replaced.
    pub update: Update,
    /// The sidecar's container.
    pub sidecar: SidecarContainer,
    /// The Service that producers use.
    pub service: Service,
    /// Who may reach the queue's ports; `None`: everybody.
    pub network_policy: Option<NetworkPolicy>,
    /// How many pods an eviction may take at a time; `None`: any number.
    pub max_unavailable: Option<i32>,
    /// What the data plane runs by.
    pub dataplane: Dataplane,
    /// What the sidecars read, exactly as the user wrote it, but for the `replicas` that the
    /// operator adds: apiVersion, kind, name and the part of the spec that is theirs.
    pub document: Value,
}

/// What happens to a replica that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleDown {
    /// What happens to its backlog.
    pub policy: ScaleDownPolicy,
    /// How long a drain may take; `None`: for ever.
    pub timeout: Option<Duration>,
    /// What happens then.
    pub on_timeout: OnTimeout,
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// When.
    pub strategy: UpdateStrategyType,
    /// Pods with a lower ordinal stay as they are.
    pub partition: i32,
}

impl Queue {
    /// Reads a resource.
    ///
    /// # Errors
    /// Every problem of the data plane's part, then every problem of the operator's, each with its
    /// field.
    pub fn read(resource: &PersistentQueue) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let document = document(resource);
        let dataplane = dataplane(&document, &mut problems);
        let spec = &resource.spec;
        let annotations = resource.metadata.annotations.clone().unwrap_or_default();
        let requests = Requests::read(&annotations, &mut problems);
        let replicas = number(&mut problems, "spec.replicas", spec.replicas, 1);
        let claim = kept(&mut problems, shaped("spec.storage", spec.claim()));
        let sidecar = kept(&mut problems, shaped("spec.sidecar", spec.sidecar_container()));
        if let Some(sidecar) = &sidecar {
            check_environment(sidecar, &mut problems);
        }
        let template = Template::read(&spec.template, &mut problems);
        if let (Some(template), Some(dataplane)) = (&template, &dataplane) {
            let streams = ports(dataplane).into_iter().map(|port| port.number);
            let taken: Vec<u16> = streams.chain([ADMIN_PORT]).collect();
            template.check_ports(&taken, &mut problems);
        }
        let containers = spec.containers.as_deref();
        let containers = template.as_ref().map(|it| it.receivers(containers, &mut problems));
        let scale_down = ScaleDown::read(spec.scale_down.as_ref(), &mut problems);
        let update = Update::read(spec.update_strategy.as_ref(), &mut problems);
        let policy = spec.network_policy.clone().unwrap_or_default();
        let budget = spec.pod_disruption_budget.clone().unwrap_or_default();
        let field = "spec.podDisruptionBudget.maxUnavailable";
        let max_unavailable = number(&mut problems, field, budget.max_unavailable, 1);
        problems.into_result()?;
        let (Some(dataplane), Some(claim), Some(sidecar), Some(template), Some(containers)) =
            (dataplane, claim, sidecar, template, containers)
        else {
            // Each that is missing has left a problem.
            return Err(Problem::new("", "could not be read").into());
        };
        let metadata = &resource.metadata;
        Ok(Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: dataplane.name.clone(),
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            requests,
            replicas,
            suspend: spec.suspend.unwrap_or(false),
            claim,
            scale_down,
            template,
            containers,
            update,
            sidecar,
            service: spec.service.clone().unwrap_or_default(),
            network_policy: policy.enabled.unwrap_or(true).then_some(policy),
            max_unavailable: budget.enabled.unwrap_or(true).then_some(max_unavailable),
            dataplane,
            document,
        })
    }
}

impl ScaleDown {
    fn read(given: Option<&queue::ScaleDown>, problems: &mut Problems) -> Self {
        let given = given.cloned().unwrap_or_default();
        let text = given.timeout.as_deref().map(str::parse::<DurationText>);
        let timeout = text.and_then(|read| {
            let read = read.map(|text| text.value()).map_err(|reason| reason.to_string());
            let problem = match read {
                Ok(value) if value >= SHORTEST_TIMEOUT => return Some(value),
                Ok(_) => "is shorter than 1s; expected at least 1s".to_owned(),
                Err(reason) => format!("{reason}; expected a duration such as \"30m\""),
            };
            problems.push("spec.scaleDown.timeout", problem);
            None
        });
        Self {
            policy: given.policy.unwrap_or_default(),
            timeout,
            on_timeout: given.on_timeout.unwrap_or_default(),
        }
    }
}

impl Update {
    fn read(given: Option<&queue::UpdateStrategy>, problems: &mut Problems) -> Self {
        let given = given.cloned().unwrap_or_default();
        let strategy = given.type_.unwrap_or_default();
        let rolling = given.rolling_update;
        if strategy == UpdateStrategyType::OnDelete && rolling.is_some() {
            let field = "spec.updateStrategy.rollingUpdate";
            problems.push(field, "OnDelete has no steps; remove it, or use type RollingUpdate");
        }
        let partition = rolling.unwrap_or_default().partition;
        let field = "spec.updateStrategy.rollingUpdate.partition";
        Self { strategy, partition: number(problems, field, partition, 0) }
    }
}

/// What the sidecars read of a resource, but for `replicas`.
fn document(resource: &PersistentQueue) -> Value {
    let mut document = resource.dataplane_document(&BTreeMap::new());
    if let Some(fields) = document.as_object_mut() {
        fields.remove("replicas");
    }
    document
}

/// The data plane of `document`, which must also be one that pods can run.
fn dataplane(document: &Value, problems: &mut Problems) -> Option<Dataplane> {
    let read = validate_dataplane(document);
    let dataplane = kept(problems, read)?;
    kept(problems, dataplane.check_sockets(Path::new(SOCKET_DIRECTORY)));
    ports::check(&dataplane, problems);
    Some(dataplane)
}

/// Variables that the operator sets itself.
fn check_environment(sidecar: &SidecarContainer, problems: &mut Problems) {
    for (index, variable) in sidecar.env.iter().flatten().enumerate() {
        let problem = match variable.get("name").and_then(Value::as_str) {
            Some(ORDINAL_VARIABLE) => "is the operator's own; remove it",
            Some(LOG_VARIABLE) if sidecar.log_level.is_some() => {
                "is what spec.sidecar.logLevel sets; remove one of them"
            }
            _ => continue,
        };
        problems.push(format!("spec.sidecar.env[{index}].name"), problem);
    }
}

/// Notes the problems of a result, if it has any.
fn kept<T>(problems: &mut Problems, result: Result<T, Problems>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            found.into_iter().for_each(|problem| problems.push(problem.path, problem.message));
            None
        }
    }
}

/// A part of the spec that is read from raw JSON.
fn shaped<T>(field: &str, read: Result<T, serde_json::Error>) -> Result<T, Problems> {
    read.map_err(|error| Problem::new(field, error.to_string()).into())
}

/// A number from 0 to [`MAX_REPLICAS`].
fn number(problems: &mut Problems, field: &str, given: Option<i32>, default: i32) -> i32 {
    let value = given.unwrap_or(default);
    if !(0..=MAX_REPLICAS).contains(&value) {
        problems.push(field, format!("{value} is out of range; expected 0 to {MAX_REPLICAS}"));
    }
    value
}
