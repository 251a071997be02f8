//! Names are unique, and so are the variables made of them.

use std::collections::BTreeMap;

use crate::names::variable_name;
use crate::validate::facts::{Facts, StreamFacts};
use crate::validate::walk::Walk;

pub(crate) fn check(walk: &mut Walk, facts: &Facts<'_>) {
    let mut streams = BTreeMap::new();
    for stream in &facts.streams {
        let Some(name) = stream.name else { continue };
        once(walk, &mut streams, name, &stream.path, "stream names are unique in the queue");
    }
    for stream in &facts.streams {
        let mut sockets = BTreeMap::new();
        for socket in &stream.sockets {
            let Some(name) = socket.name else { continue };
            let rule = "names are unique in a stream over ingress and deliveries";
            once(walk, &mut sockets, name, &socket.path, rule);
        }
    }
    variables(walk, &facts.streams);
}

/// Reports `name` at `path` where an earlier path has it.
fn once<'a>(
    walk: &mut Walk,
    taken: &mut BTreeMap<&'a str, &'a str>,
    name: &'a str,
    path: &'a str,
    rule: &str,
) {
    match taken.get(name) {
        None => {
            taken.insert(name, path);
        }
        Some(other) => {
            let message = format!("{name:?} is also the name of {other}; {rule}, choose another");
            walk.problem(&format!("{path}.name"), message);
        }
    }
}

/// Different names may make the same variable: `a-b`/`c` and `a`/`b-c`. The same names are
/// reported already.
fn variables(walk: &mut Walk, streams: &[StreamFacts<'_>]) {
    let mut taken = BTreeMap::new();
    for stream in streams {
        for socket in &stream.sockets {
            let (Some(first), Some(second)) = (stream.name, socket.name) else { continue };
            let variable = variable_name(first, second);
            match taken.get(&variable) {
                None => {
                    taken.insert(variable, (first, second, &socket.path));
                }
                Some((a, b, _)) if (*a, *b) == (first, second) => {}
                Some((_, _, other)) => {
                    let message = format!(
                        "the environment variable {variable} would also be that of {other}; \
                         choose another name"
                    );
                    walk.problem(&format!("{}.name", socket.path), message);
                }
            }
        }
    }
}
