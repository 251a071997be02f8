//! When to PING a silent peer and when to give it up. Time is an argument.

use std::time::{Duration, Instant};

/// Silence that calls for a PING, and silence that means death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// A PING goes out after this long without a byte from the peer, and again each time it
    /// passes.
    pub interval: Duration,
    /// The connection is dead after this long without a byte from the peer.
    pub timeout: Duration,
}

/// How often a peer that sends PINGs is told that we live while nobody reads them. A libzmq peer
/// closes unless something comes within its ZMQ_HEARTBEAT_TIMEOUT, which it does not tell.
///
/// Others are left alone: on tcp, a peer that has sent all and closed would lose what its kernel
/// still holds when a PING comes back.
const DEAF_INTERVAL: Duration = Duration::from_millis(250);

impl Default for HeartbeatConfig {
    /// PING after 10 s, dead after 30 s.
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), timeout: Duration::from_secs(30) }
    }
}

/// What the clock asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Nothing before the next deadline.
    Quiet,
    /// Send a PING.
    Ping,
    /// Close: the peer is gone.
    Dead,
}

/// The heartbeat of one connection.
///
/// While nobody reads from the connection its silence means nothing: ask
/// [`Heartbeat::deaf_deadline`] and [`Heartbeat::beat_deaf`] then, and call [`Heartbeat::heard`] when
/// reading goes on.
#[derive(Debug)]
pub struct Heartbeat {
    /// `None` towards a 3.0 peer, which knows no PING and may be silent for ever.
    config: Option<HeartbeatConfig>,
    heard: Instant,
    pinged: Instant,
    ttl: Option<Duration>,
    /// It has sent a PING, so it may give us up.
    pings: bool,
}

impl Heartbeat {
    /// A heartbeat that starts now.
    pub fn new(config: Option<HeartbeatConfig>, now: Instant) -> Self {
        Self { config, heard: now, pinged: now, ttl: None, pings: false }
    }

    /// Bytes came from the peer.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = now;
    }

    /// The peer's PING said how long its silence may last; zero lifts the limit.
    pub fn set_ttl(&mut self, ttl: Duration) {
        self.pings = true;
        self.ttl = (!ttl.is_zero()).then_some(ttl);
    }

    /// The next time to call [`Heartbeat::beat`]; `None` for never.
    pub fn deadline(&self) -> Option<Instant> {
        let ping = self.config.map(|config| self.pinged + config.interval);
        [ping, self.death()].into_iter().flatten().min()
    }

    /// What to do at `now`. A PING counts as sent.
    pub fn beat(&mut self, now: Instant) -> Beat {
        if self.death().is_some_and(|at| at <= now) {
            return Beat::Dead;
        }
        match self.config {
            Some(config) if self.pinged + config.interval <= now => {
                self.pinged = now;
                Beat::Ping
            }
            _ => Beat::Quiet,
        }
    }

    /// The next time to call [`Heartbeat::beat_deaf`]; `None` for never.
    pub fn deaf_deadline(&self) -> Option<Instant> {
        self.pings.then(|| self.pinged + DEAF_INTERVAL)
    }

    /// What to do at `now` while nobody reads from the peer. A PING counts as sent.
    pub fn beat_deaf(&mut self, now: Instant) -> Beat {
        if self.deaf_deadline().is_none_or(|at| at > now) {
            return Beat::Quiet;
        }
        self.pinged = now;
        Beat::Ping
    }

    fn death(&self) -> Option<Instant> {
        let silence = [self.config.map(|config| config.timeout), self.ttl];
        silence.into_iter().flatten().min().map(|silence| self.heard + silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pings_each_interval_and_gives_up_at_the_timeout() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Some(HeartbeatConfig::default()), start);
        assert_eq!(heartbeat.deadline(), Some(start + s(10)));
        assert_eq!(heartbeat.beat(start + s(9)), Beat::Quiet);
        assert_eq!(heartbeat.beat(start + s(10)), Beat::Ping);
        assert_eq!(heartbeat.beat(start + s(11)), Beat::Quiet);
        assert_eq!(heartbeat.deadline(), Some(start + s(20)));
        assert_eq!(heartbeat.beat(start + s(20)), Beat::Ping);
        assert_eq!(heartbeat.deadline(), Some(start + s(30)));
        assert_eq!(heartbeat.beat(start + s(30)), Beat::Dead);
    }

    #[test]
    fn any_byte_starts_it_anew() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Some(HeartbeatConfig::default()), start);
        heartbeat.heard(start + s(29));
        assert_eq!(heartbeat.beat(start + s(30)), Beat::Quiet);
        assert_eq!(heartbeat.deadline(), Some(start + s(39)));
    }

    #[test]
    fn a_peer_that_pings_while_nobody_reads_is_pinged_often_and_never_dead() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(None, start);
        heartbeat.set_ttl(s(1));
        for beat in 1..1000 {
            let now = start + beat * DEAF_INTERVAL;
            assert_eq!(heartbeat.deaf_deadline(), Some(now));
            assert_eq!(heartbeat.beat_deaf(now), Beat::Ping);
            assert_eq!(heartbeat.beat_deaf(now), Beat::Quiet);
        }
    }

    #[test]
    fn a_peer_that_never_pings_is_left_alone_while_nobody_reads() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Some(HeartbeatConfig::default()), start);
        assert_eq!(heartbeat.deaf_deadline(), None);
        assert_eq!(heartbeat.beat_deaf(start + s(99)), Beat::Quiet);
    }

    #[test]
    fn the_peers_ttl_counts_even_without_our_own_pings() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(None, start);
        assert_eq!(heartbeat.deadline(), None);
        heartbeat.set_ttl(s(2));
        assert_eq!(heartbeat.deadline(), Some(start + s(2)));
        heartbeat.heard(start + s(1));
        assert_eq!(heartbeat.beat(start + s(2)), Beat::Quiet);
        assert_eq!(heartbeat.beat(start + s(3)), Beat::Dead);
        heartbeat.set_ttl(s(0));
        assert_eq!(heartbeat.beat(start + s(300)), Beat::Quiet);
    }
}
