//! A status as a tired person reads it: one line on the queue, one table on its streams, one on
//! their sockets. Pure, and without colours.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::Table;

use super::human::{age, bytes, count, counted, rate};
use super::table::table;
use crate::status::{SocketStatus, State, Status, StreamState, StreamStatus};

/// Renders `status`. `now` is the Unix time.
pub(super) fn render(status: &Status, now: Duration) -> String {
    let mut out = header(status, now);
    let mut lines = |table: &Table| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n{}", table.trim_fmt());
    };
    lines(&streams(&status.streams, now));
    lines(&sockets(&status.streams));
    for stream in &status.streams {
        if let Some(reason) = &stream.reason {
            let _ = writeln!(out, "\n{} is stopped: {reason}", stream.name);
            let _ = writeln!(
                out,
                "what it would cost to go on: `lifeboat accept-gap --dry-run {}`",
                stream.name
            );
        } else if let Some(damage) = &stream.damage {
            let _ = writeln!(out, "\n{} is damaged: {damage}", stream.name);
        }
        if stream.lost > 0 {
            let _ = writeln!(
                out,
                "\n{} lost {} to damage",
                stream.name,
                counted(stream.lost, "record")
            );
        }
        for delivery in stream.deliveries.iter().filter(|one| one.expired + one.dropped > 0) {
            let (name, socket) = (&stream.name, &delivery.delivery);
            let (expired, dropped) = (count(delivery.expired), count(delivery.dropped));
            let _ = writeln!(
                out,
                "\n{name}.{socket} lost to retention: {expired} too old, {dropped} for space"
            );
        }
        if stream.dedup.as_ref().is_some_and(|dedup| !dedup.ready) {
            let _ = writeln!(
                out,
                "\n{}: ids are not known, messages with ids wait or are refused",
                stream.name
            );
        }
    }
    for problem in &status.config.problems {
        let _ = writeln!(out, "\nnot applied, tried again: {problem}");
    }
    if !status.config.pending_restart.is_empty() {
        let fields = status.config.pending_restart.join(", ");
        let _ = writeln!(out, "\nchanged in the file, applied by a restart: {fields}");
    }
    if !status.removed.is_empty() {
        let _ = writeln!(
            out,
            "\nstored here, not in the file: {}; `lifeboat purge` removes it",
            status.removed.join(", ")
        );
    }
    out
}

fn header(status: &Status, now: Duration) -> String {
    let state = match status.state {
        State::Open => "open",
        State::Quiesced => "QUIESCED: takes nothing from outside until it ends",
        State::Draining => "DRAINING: takes nothing from outside",
        State::Fenced => "FENCED: takes and delivers nothing",
        State::Closed => "CLOSED: this is not the volume that the file expects",
        State::Stopping => "STOPPING",
        State::Failed => "FAILED: the disk failed",
    };
    let uptime = age(now.saturating_sub(Duration::from_secs(status.started)));
    let volume = if status.durable_volume {
        "durable"
    } else {
        "NOT DURABLE: it does not outlive a restart of the machine"
    };
    let sync = match status.sync.as_str() {
        "Always" => String::new(),
        weak => format!("   SYNC {weak}: a power cut loses the newest records"),
    };
    let hangs = status.disk_hangs.map_or_else(String::new, |seconds| {
        format!("\nTHE DISK HANGS: it has not answered for {seconds} s; nothing is receipted")
    });
    format!(
        "queue {}   {state}   up {uptime}   version {}   volume {volume}{sync}{hangs}\n",
        status.name, status.version
    )
}

fn streams(streams: &[StreamStatus], now: Duration) -> Table {
    let mut table = table(
        &["stream", "depth", "in flight", "oldest", "dead", "in/s", "out/s", "disk", "of", "state"],
        1..9,
    );
    for stream in streams {
        let oldest = stream.oldest_time.map_or_else(
            || "-".to_owned(),
            |time| age(now.saturating_sub(Duration::from_secs(time))),
        );
        let state = match stream.state {
            StreamState::Open => "open",
            StreamState::Full => "FULL: producers wait, or get 503",
            StreamState::Stopped => "STOPPED: see below",
        };
        table.add_row([
            stream.name.clone(),
            count(stream.depth),
            count(stream.in_flight),
            oldest,
            count(stream.dead_letters),
            rate(stream.ingress_per_second),
            rate(stream.delivered_per_second),
            bytes(stream.disk_bytes),
            bytes(stream.max_bytes),
            state.to_owned(),
        ]);
    }
    table
}

fn sockets(streams: &[StreamStatus]) -> Table {
    let mut table = table(&["socket", "kind", "connections", "in flight", "lag", "endpoint"], 2..5);
    for stream in streams {
        let name = |name: &str| format!("{}.{name}", stream.name);
        for ingress in &stream.ingress {
            let socket = &ingress.socket;
            table.add_row([
                name(&socket.name),
                kind(socket),
                count(socket.connections),
                "-".to_owned(),
                "-".to_owned(),
                place(socket),
            ]);
        }
        for delivery in &stream.deliveries {
            let socket = delivery.socket.as_ref();
            table.add_row([
                name(&delivery.delivery),
                socket.map_or_else(|| "removed".to_owned(), kind),
                socket.map_or_else(|| "-".to_owned(), |socket| count(socket.connections)),
                count(delivery.in_flight),
                count(stream.published_end.saturating_sub(delivery.cursor)),
                socket.map_or_else(|| "-".to_owned(), place),
            ]);
        }
    }
    table
}

fn place(socket: &SocketStatus) -> String {
    let to = if socket.connects { "connects to " } else { "" };
    let closed = if socket.open { "" } else { " (closed)" };
    format!("{to}{}{closed}", socket.endpoint)
}

fn kind(socket: &SocketStatus) -> String {
    match &socket.protocol {
        Some(protocol) => format!("{} {protocol}", socket.socket),
        None => socket.socket.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ConfigStatus, DeliveryStatus, IngressStatus, Totals};

    fn socket(name: &str, socket: &str, protocol: Option<&str>) -> SocketStatus {
        SocketStatus {
            name: name.to_owned(),
            socket: socket.to_owned(),
            protocol: protocol.map(str::to_owned),
            endpoint: format!("ipc:///run/lifeboat/work.{name}"),
            connects: false,
            open: true,
            connections: 2,
        }
    }

    fn stream() -> StreamStatus {
        let delivery = |socket: Option<SocketStatus>, name: &str| DeliveryStatus {
            socket,
            delivery: name.to_owned(),
            cursor: 1_000,
            delivered_end: 1_064,
            depth: 1_200,
            in_flight: 64,
            expired: 5,
            dropped: 0,
            redelivered: 0,
            lost: 0,
            promise: None,
        };
        StreamStatus {
            name: "work".to_owned(),
            stream_id: "00".repeat(16),
            state: StreamState::Stopped,
            drained: false,
            reason: Some("segment 7: checksum".to_owned()),
            damage: Some("segment 7: checksum".to_owned()),
            lost: 5,
            log_start: 0,
            published_end: 2_234,
            durable_end: 2_000,
            depth: 1_234,
            in_flight: 64,
            oldest_time: Some(10_000),
            dead_letters: 3,
            disk_bytes: 3 << 20,
            max_bytes: 1 << 30,
            ingress_per_second: 1_000.0,
            delivered_per_second: 0.5,
            dedup: None,
            ingress: vec![IngressStatus {
                socket: socket("push", "PULL", None),
                messages: 9,
                duplicates: 0,
            }],
            deliveries: vec![
                delivery(Some(socket("workers", "ROUTER", Some("Credit"))), "workers"),
                delivery(None, "old"),
            ],
        }
    }

    fn status() -> Status {
        Status {
            name: "orders".to_owned(),
            version: "0.1.0".to_owned(),
            features: Vec::new(),
            boot_id: String::new(),
            volume_id: String::new(),
            log_id: String::new(),
            epoch: 1,
            state: State::Open,
            ordinal: None,
            started: 9_000,
            durable_volume: false,
            disk_hangs: None,
            volume: None,
            drained: false,
            retains_history: false,
            app_connected: false,
            totals: Totals::default(),
            syncs: 0,
            synced_records: 0,
            sync: "Interval 200ms".to_owned(),
            streams: vec![stream()],
            removed: vec!["gone".to_owned()],
            config: ConfigStatus {
                problems: vec!["spec: bad".to_owned()],
                pending_restart: vec!["spec.storage.size".to_owned()],
                ..ConfigStatus::default()
            },
        }
    }

    /// The words of the line that starts with `first`.
    fn words<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
        let line = text.lines().find(|line| line.starts_with(first)).unwrap();
        line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect()
    }

    #[test]
    fn every_figure_is_in_its_place() {
        let text = render(&status(), Duration::from_secs(10_065));
        let header = words(&text, "queue orders");
        assert_eq!(header[1..4], ["open", "up 17m 45s", "version 0.1.0"]);
        assert!(header[4].starts_with("volume NOT DURABLE"));
        assert!(header[5].starts_with("SYNC Interval 200ms:"));
        let stream = words(&text, "work ");
        let expected = [
            "work",
            "1,234",
            "64",
            "1m 5s",
            "3",
            "1,000",
            "0.5",
            "3.00 MiB",
            "1.00 GiB",
            "STOPPED: see below",
        ];
        assert_eq!(stream, expected);
        let endpoint = "ipc:///run/lifeboat/work.workers";
        let expected = ["work.workers", "ROUTER Credit", "2", "64", "1,234", endpoint];
        assert_eq!(words(&text, "work.workers"), expected);
        assert_eq!(words(&text, "work.old"), ["work.old", "removed", "-", "64", "1,234", "-"]);
        assert!(text.contains("work is stopped: segment 7: checksum"));
        assert!(text.contains("work.workers lost to retention: 5 too old, 0 for space"));
        assert!(text.contains("work lost 5 records to damage"));
        assert!(text.contains("stored here, not in the file: gone"));
        assert!(text.contains("not applied, tried again: spec: bad"));
        assert!(text.contains("applied by a restart: spec.storage.size"));
        assert!(!text.contains('\x1b'), "no colours");
    }
}
