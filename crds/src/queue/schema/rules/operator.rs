//! Rules of what only the operator reads.

use super::Rule;

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = vec![
        Rule::new(
            "spec",
            "!has(self.containers) || self.containers.all(name, \
             self.template.spec.containers.exists(it, it.name == name))",
            "containers: expected names of template.spec.containers; write those that are there",
        ),
        Rule::new(
            "spec.scaleDown.timeout",
            "duration(self) >= duration('1s')",
            "timeout is too small; expected at least 1s",
        ),
        Rule::new(
            "spec.updateStrategy",
            "!has(self.rollingUpdate) || !has(self.type) || self.type == 'RollingUpdate'",
            "rollingUpdate goes with type RollingUpdate; remove it, or use that type",
        ),
        Rule::new(
            "spec.template.spec",
            "!has(self.restartPolicy) || self.restartPolicy == 'Always'",
            "restartPolicy: the pods of a queue run for ever; remove it, or write Always",
        ),
    ];
    rules.extend(
        [
            "spec.template.spec.containers[]",
            "spec.template.spec.initContainers[]",
            "spec.template.spec.volumes[]",
        ]
        .map(|at| {
            Rule::new(
                at,
                "!self.name.startsWith('lifeboat-')",
                "name: lifeboat- is the prefix of what the operator adds; choose another name",
            )
        }),
    );
    rules
}
