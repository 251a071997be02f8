//! Rules of ingress and deliveries.

use super::{Rule, on_every_interface, unchanged, within};
use crate::bounds;
use crate::quantity::format_bytes;

const INGRESS: &str = "spec.streams[].ingress[]";
const DELIVERY: &str = "spec.streams[].deliveries[]";

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = ingress();
    rules.extend(delivery());
    rules.extend(acks());
    for (at, bind, remote) in [
        (INGRESS, "spec.streams[].ingress[].bind", "spec.streams[].ingress[].connect[]"),
        (DELIVERY, "spec.streams[].deliveries[].bind", "spec.streams[].deliveries[].connect[]"),
    ] {
        rules.extend(endpoints(at));
        rules.extend([port(bind), admin_port(bind), one_place(remote)]);
        rules.extend([unchanged(at, "socket"), unchanged(at, "protocol")]);
    }
    rules
}

fn ingress() -> Vec<Rule> {
    vec![
        Rule::new(
            INGRESS,
            "(self.socket == 'ROUTER') == has(self.protocol)",
            "protocol goes with socket ROUTER, which needs Receipt; write both or neither",
        ),
        Rule::new(
            INGRESS,
            "!has(self.topics) || self.socket == 'SUB'",
            "topics: only a SUB subscribes, which is planned; remove them",
        ),
        Rule::new(
            INGRESS,
            "!has(self.dedup) || has(self.protocol) && self.protocol == 'Receipt'",
            "dedup: only messages that get a receipt carry an id; remove it, or use socket ROUTER \
             with protocol Receipt",
        ),
        within("spec.streams[].ingress[].dedup.window", "dedup.window", &bounds::DEDUP_WINDOW),
        message_size(),
    ]
}

fn delivery() -> Vec<Rule> {
    vec![
        Rule::new(
            DELIVERY,
            "self.socket == 'ROUTER' ? has(self.protocol) && self.protocol != 'Pzq' : \
             !has(self.protocol) || self.socket == 'DEALER' && self.protocol == 'Pzq'",
            "protocol: ROUTER needs Credit, DEALER, PUSH and PUB take none; write Credit, or \
             remove it",
        ),
        Rule::new(
            DELIVERY,
            "!has(self.trail) || self.socket == 'PUSH'",
            "trail: only PUSH has one, other applications acknowledge or only observe; remove it",
        ),
        within("spec.streams[].deliveries[].trail.time", "trail.time", &bounds::TRAIL_TIME),
    ]
}

/// What only deliveries with acknowledgements have.
fn acks() -> Vec<Rule> {
    let of_acks = ["ackTimeout", "maxAttempts", "backoff", "deadLetter"].map(|field| {
        let rule = format!("!has(self.{field}) || self.socket in ['DEALER', 'ROUTER']");
        let message = format!(
            "{field}: applications of PUSH and PUB cannot acknowledge; remove it, or use socket \
             ROUTER with protocol Credit"
        );
        Rule::new(DELIVERY, rule, message)
    });
    let mut rules = Vec::from(of_acks);
    rules.extend([
        Rule::new(
            DELIVERY,
            "!has(self.maxInFlight) || self.socket == 'ROUTER'",
            "maxInFlight: only applications of ROUTER have several records at a time; remove it, \
             or use socket ROUTER with protocol Credit",
        ),
        within("spec.streams[].deliveries[].ackTimeout", "ackTimeout", &bounds::ACK_TIMEOUT),
        within("spec.streams[].deliveries[].backoff[]", "backoff", &bounds::BACKOFF_WAIT),
    ]);
    rules
}

/// What holds for the endpoints of ingress and deliveries alike.
fn endpoints(at: &'static str) -> Vec<Rule> {
    vec![
        Rule::new(
            at,
            "!has(self.bind) || !has(self.connect)",
            "connect: a socket is bound or connects; remove it, or remove bind",
        ),
        Rule::new(
            at,
            "!has(self.maxConnections) || !has(self.connect)",
            "maxConnections: a socket that connects has one connection an endpoint; remove it",
        ),
        Rule::new(
            at,
            "!has(self.curve) || has(self.bind) && self.bind.startsWith('tcp://') || \
             has(self.connect) && self.connect.all(it, it.startsWith('tcp://'))",
            "curve: only sockets on tcp have it; remove it, or write bind or connect with tcp://",
        ),
        Rule::new(
            at,
            "has(self.curve) == has(oldSelf.curve)",
            "curve cannot be added or removed, a listener has one mechanism for ever; use another \
             ingress or delivery beside this one",
        ),
    ]
}

/// Ports below 1024 need a privilege that the sidecar does not have.
fn port(at: &'static str) -> Rule {
    let ports = "102[4-9]|10[3-9][0-9]|1[1-9][0-9][0-9]|[2-9][0-9][0-9][0-9]|[1-5][0-9]{4}|\
                 6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]";
    let rule = format!("!self.startsWith('tcp://') || self.matches(':([*]|0+|0*({ports}))$')");
    let message = "bind: the port is out of range; choose one from 1024 to 65535";
    Rule::new(at, rule, message)
}

/// In a pod the sidecar serves its status there, on every interface.
fn admin_port(at: &'static str) -> Rule {
    let message = "bind: port 9464 is that of the sidecar's metrics; choose another";
    Rule::new(at, "!self.matches('^tcp://.*:0*9464$')", message)
}

fn one_place(at: &'static str) -> Rule {
    let everywhere = on_every_interface("self");
    let rule = format!("!({everywhere}) && !(self.startsWith('tcp://') && self.matches(':0+$'))");
    let message = "connect: expected one host and one port to connect to; write both";
    Rule::new(at, rule, message)
}

fn message_size() -> Rule {
    let [least, most] = [bounds::MESSAGE_SIZE.start(), bounds::MESSAGE_SIZE.end()]
        .map(|bytes| format_bytes(*bytes));
    let rule = format!(
        "!isQuantity(self) || quantity(self).compareTo(quantity('{least}')) >= 0 && \
         quantity(self).compareTo(quantity('{most}')) <= 0"
    );
    let message = format!("maxMessageSize is out of range; expected {least} to {most}");
    Rule::new("spec.streams[].ingress[].maxMessageSize", rule, message)
}
