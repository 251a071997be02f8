# Everyday commands. What takes more than a line is a program of its own.

# All that a change must pass.
check: fmt-check lint test

# Every test; none needs a cluster or root.
test *ARGS:
    cargo test --workspace {{ARGS}}

# Formats the code.
fmt:
    cargo fmt --all

# Fails where code is not formatted.
fmt-check:
    cargo fmt --all --check

# Clippy, warnings are errors.
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --workspace --manifest-path fuzz/Cargo.toml -- -D warnings

# Tests against Kubernetes' control plane; builds it from Go modules first, which takes a while.
e2e *ARGS:
    e2e/build
    cargo build -p lifeboat-sidecar
    cargo test -p lifeboat-e2e -p lifeboat-operator {{ARGS}} -- --ignored

# Scenarios on a real cluster: that of $KUBECONFIG, or one of its own (Linux, root).
cluster *ARGS:
    e2e/run {{ARGS}}

# The chart's lint, README, schema and golden renders; `just chart --update` makes them anew.
chart *ARGS:
    e2e/build
    charts/check {{ARGS}}

# A control plane to try things on, until Ctrl-C.
control-plane:
    e2e/build
    cargo run -p lifeboat-e2e --bin control-plane

# Producers, writer and readers under a scheduler that chooses the order of their steps.
interleavings:
    RUSTFLAGS='--cfg shuttle' CARGO_TARGET_DIR=target/shuttle cargo test -p lifeboat-log --lib interleavings::

# Fuzzes every decoder for so many seconds each, or those that are named: just fuzz 60 segment
fuzz *ARGS:
    fuzz/run {{ARGS}}

# Licences, sources, advisories, duplicates (needs cargo-deny).
deny:
    cargo deny check

# The API's documentation.
doc:
    cargo doc --workspace --no-deps

# Makes the CRD from the types, for the chart too; a test fails where the file is another.
crd:
    cargo run -p lifeboat-api --features kube --example crd >crds/persistentqueues.yaml
    cp crds/persistentqueues.yaml charts/lifeboat/files/

# The benches of the data plane.
bench *ARGS:
    cargo bench -p lifeboat-sidecar {{ARGS}}

# Runs a queue here: just run examples/work-queue.yaml
run FILE *ARGS:
    cargo run --release --bin lifeboat -- run {{FILE}} {{ARGS}}

# Shows what a changed validation message or format changes, and asks (needs cargo-insta).
review:
    cargo insta review
