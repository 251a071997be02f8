//! The program's own log, on stderr: for people on a terminal, as JSON lines otherwise.
//! `LIFEBOAT_LOG` filters it (`debug`, `lifeboat_sidecar=trace,info`, ...).

use std::io::IsTerminal;
use std::sync::Once;

use tracing_subscriber::EnvFilter;

use crate::index;

/// The variable that filters the log.
pub const FILTER_VARIABLE: &str = "LIFEBOAT_LOG";

/// What it says without that. The index on disk is guarded and judged by its user, who says what
/// came of it; what `sled` itself says of a damaged one would only be alarming.
const USUAL: &str = "info,sled=off";

/// Panics of the index' thread are caught, and told in words: their usual text is only alarming.
static PANICS: Once = Once::new();

/// Starts the log. A second call in one process changes nothing.
pub fn start() {
    PANICS.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some(index::THREAD) {
                usual(panic);
            }
        }));
    });
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error says that a log is set up already.
    let _ = if std::io::stderr().is_terminal() {
        log.with_target(false).compact().try_init()
    } else {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
}
