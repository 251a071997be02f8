//! The tcp ports that a queue's sockets bind, as others reach them.

use std::collections::BTreeSet;

use lifeboat_api::{Dataplane, Endpoint, Host, Problems, TcpEndpoint};

use crate::names::ADMIN_PORT;

/// A tcp port that a queue's pods listen on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Its number.
    pub number: u16,
}

impl Port {
    /// Its name in pods and Services: at most 15 characters, unique, and with the prefix by which
    /// service meshes know that they must not look inside.
    pub fn name(&self) -> String {
        format!("tcp-{}", self.number)
    }
}

/// The ports that can be reached from outside the pod, by number.
pub fn ports(dataplane: &Dataplane) -> Vec<Port> {
    let tcp = bound(dataplane).filter_map(|(_, endpoint)| tcp(endpoint));
    let reachable = tcp.filter(|tcp| !is_loopback(&tcp.host) && tcp.port != 0);
    let numbers: BTreeSet<u16> = reachable.map(|tcp| tcp.port).collect();
    numbers.into_iter().map(|number| Port { number }).collect()
}

/// What can be bound on a machine and not in a pod.
pub(super) fn check(dataplane: &Dataplane, problems: &mut Problems) {
    for (field, endpoint) in bound(dataplane) {
        match tcp(endpoint).map(|tcp| tcp.port) {
            Some(0) => problems.push(
                field,
                "a port that the system picks cannot be in a Service; choose one from 1024 to 65535",
            ),
            Some(ADMIN_PORT) => problems.push(
                field,
                format!("{ADMIN_PORT} is the sidecar's own port for probes; choose another"),
            ),
            _ => {}
        }
    }
}

/// Every endpoint that is written as `bind`, with its field.
fn bound(dataplane: &Dataplane) -> impl Iterator<Item = (String, &Endpoint)> {
    dataplane.streams.iter().enumerate().flat_map(|(at, stream)| {
        let ingress = stream.ingress.iter().map(|it| it.endpoint.as_ref()).enumerate();
        let deliveries = stream.deliveries.iter().map(|it| it.endpoint.as_ref()).enumerate();
        let sides = [
            ingress.map(|it| ("ingress", it)).collect::<Vec<_>>(),
            deliveries.map(|it| ("deliveries", it)).collect(),
        ];
        sides.into_iter().flatten().filter_map(move |(side, (index, endpoint))| {
            Some((format!("spec.streams[{at}].{side}[{index}].bind"), endpoint?))
        })
    })
}

fn tcp(endpoint: &Endpoint) -> Option<&TcpEndpoint> {
    match endpoint {
        Endpoint::Tcp(tcp) => Some(tcp),
        Endpoint::Ipc(_) => None,
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Any => false,
        Host::Ip(address) => address.is_loopback(),
        Host::Name(name) => name == "localhost",
    }
}
