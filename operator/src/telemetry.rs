//! The program's own log, on stderr: for people on a terminal, as JSON lines otherwise.
//! `LIFEBOAT_LOG` filters it (`debug`, `lifeboat_operator=trace,info`, ...).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that filters the log.
pub(crate) const FILTER_VARIABLE: &str = "LIFEBOAT_LOG";

/// What it says without that. The client reports each refused request as an error of its own;
/// whoever made the request reports it better.
const USUAL: &str = "info,kube_client=off";

/// Starts the log. A second call in one process changes nothing.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error says that a log is set up already.
    let _ = if std::io::stderr().is_terminal() {
        log.with_target(false).compact().try_init()
    } else {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
}
