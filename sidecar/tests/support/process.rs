//! What the kernel and the metrics say of a running sidecar.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use super::{Lifeboat, PATIENCE, wait_for};

impl Lifeboat {
    /// Resident memory in bytes (proc(5), status).
    pub(crate) fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it had resident at any time, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// A line of proc(5), status, in bytes.
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// SIGSTOP, and waits until none of its threads will run any more: each is stopped, or in a call
    /// of the disk's, behind which it stops (proc(5), stat: state).
    pub(crate) fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
        let still = |thread: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat"));
            // A thread that is gone runs no more.
            stat.map_or(true, |stat| {
                let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
                matches!(state, Some('T' | 'D'))
            })
        };
        let tasks = format!("/proc/{}/task", self.id());
        wait_for("all threads to stop", || {
            std::fs::read_dir(&tasks).unwrap().all(still).then_some(())
        });
    }

    /// Processor time so far, in clock ticks (proc(5), stat: utime and stime).
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let behind_name = stat.rsplit(')').next().unwrap();
        behind_name.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum()
    }

    /// The body of a GET on the admin address, which must succeed.
    pub(crate) fn get(&self, path: &str) -> String {
        let (code, body) = self.probe(path);
        assert_eq!(code, 200, "{body}");
        body
    }

    /// GET on the admin address: the status code and the body.
    pub(crate) fn probe(&self, path: &str) -> (u16, String) {
        probe(self.endpoint("admin").strip_prefix("http://").unwrap(), path)
    }

    /// Connections of a socket of the stream `work` that ended or were refused for this reason;
    /// an empty name or reason stands for all.
    pub(crate) fn ended(&self, socket: &str, reason: &str) -> u64 {
        let given = [("socket", socket), ("reason", reason)].into_iter();
        let labels: Vec<String> = given
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        self.metric("lifeboat_connections_ended_total", &labels)
    }

    /// Waits until so many connections have ended, and checks that no more have; see
    /// [`Lifeboat::ended`].
    pub(crate) fn wait_ended(&self, socket: &str, reason: &str, count: u64) {
        let all = || (self.ended(socket, reason) >= count).then_some(());
        wait_for(&format!("{count} of {socket:?} to end, {reason}"), all);
        assert_eq!(self.ended(socket, reason), count, "{socket:?} {reason}");
    }

    /// The sum of all series of a metric whose labels hold every one of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let text = self.get("/metrics");
        let series = text.lines().filter(|line| {
            line.split(['{', ' ']).next() == Some(name)
                && labels.iter().all(|label| line.contains(label))
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

/// GET: the status code and the body.
pub(crate) fn probe(address: impl ToSocketAddrs, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
