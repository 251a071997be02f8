//! The names of what belongs to a queue. Queue names have at most 45 characters, so that each of
//! these fits a DNS label (63), and the StatefulSet's the label of its revision (52).

/// The claim template, and so the first part of each claim's name and the volume in the pod.
pub const CLAIM_TEMPLATE: &str = "lifeboat-data";
/// The sidecar's container.
pub const SIDECAR: &str = "lifeboat-sidecar";
/// The start of what is ours in a pod: containers and volumes.
pub const RESERVED: &str = "lifeboat-";
/// The ConfigMap's key, and the file's name in the pod.
pub const CONFIG_KEY: &str = "queue.yaml";
/// The sidecar's port of probes, metrics and status.
pub const ADMIN_PORT: u16 = 9464;
/// The name of that port.
pub const ADMIN_PORT_NAME: &str = "lifeboat-admin";
/// Where the sockets are, in all containers that get them.
pub const SOCKET_DIRECTORY: &str = "/run/lifeboat";

/// The StatefulSet.
pub fn stateful_set(queue: &str) -> String {
    queue.to_owned()
}

/// The sidecars' configuration.
pub fn config_map(queue: &str) -> String {
    format!("{queue}-config")
}

/// The Service that producers use.
pub fn service(queue: &str) -> String {
    queue.to_owned()
}

/// The headless Service, which gives each pod a name.
pub fn pods_service(queue: &str) -> String {
    format!("{queue}-pods")
}

/// The Service of one replica. Not the pod's own name: a queue may have that.
pub fn replica_service(queue: &str, ordinal: u32) -> String {
    format!("{queue}-replica-{ordinal}")
}

/// The PodDisruptionBudget.
pub fn disruption_budget(queue: &str) -> String {
    queue.to_owned()
}

/// The NetworkPolicy.
pub fn network_policy(queue: &str) -> String {
    queue.to_owned()
}

/// The pod of one replica, as the StatefulSet names it.
pub fn pod(queue: &str, ordinal: u32) -> String {
    format!("{queue}-{ordinal}")
}

/// The claim of one replica, as the StatefulSet names it.
pub fn claim(queue: &str, ordinal: u32) -> String {
    format!("{CLAIM_TEMPLATE}-{queue}-{ordinal}")
}

/// The ordinal in the name of a queue's claim; `None` where it is none of this queue's.
pub fn claim_ordinal(queue: &str, name: &str) -> Option<u32> {
    pod_ordinal(queue, name.strip_prefix(CLAIM_TEMPLATE)?.strip_prefix('-')?)
}

/// The ordinal in the name of a queue's pod; `None` where it is none of this queue's.
pub fn pod_ordinal(queue: &str, name: &str) -> Option<u32> {
    let digits = name.strip_prefix(queue)?.strip_prefix('-')?;
    let number = digits.parse::<u32>().ok()?;
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_label() {
        let queue = "q".repeat(45);
        let names = [
            config_map(&queue),
            pods_service(&queue),
            replica_service(&queue, 127),
            pod(&queue, 127),
            claim(&queue, 127),
        ];
        assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
    }

    #[test]
    fn an_ordinal_is_read_back() {
        // A queue may be called as the claims are.
        for queue in ["orders", "lifeboat-data", "lifeboat-data-x"] {
            for number in [0, 7, 127] {
                assert_eq!(pod_ordinal(queue, &pod(queue, number)), Some(number));
                assert_eq!(claim_ordinal(queue, &claim(queue, number)), Some(number));
            }
        }
        assert_eq!(pod_ordinal("orders", &claim("orders", 1)), None);
        assert_eq!(claim_ordinal("orders", &pod("orders", 1)), None);
        for other in
            ["orders", "orders-", "orders-x", "orders-01", "orders-+1", "other-1", "orders-eu-1"]
        {
            assert_eq!(pod_ordinal("orders", other), None, "{other}");
        }
    }
}
