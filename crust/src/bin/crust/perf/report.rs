//! What a run came to, as JSON and for people.

use serde::Serialize;

use super::{
    args::Mode,
    bench::{Bench, Span},
};
use crate::{out, rtt::Rtt, units};

/// What a run came to. What its mode does not measure, or the system does not tell, is `null`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) mode: Mode,
    pub(super) seconds: f64,
    /// That the receiver got.
    pub(super) bytes: u64,
    pub(super) bytes_per_s: f64,
    pub(super) messages_per_s: Option<f64>,
    /// Of uTP, both ways.
    pub(super) packets_per_s: Option<f64>,
    pub(super) round_trips_per_s: Option<f64>,
    pub(super) sessions_per_s: Option<f64>,
    pub(super) failures: u64,
    pub(super) cpu_s: Option<f64>,
    pub(super) rss_bytes: Option<u64>,
    pub(super) rtt_us: Option<Rtt>,
    pub(super) plain: bool,
    #[serde(skip)]
    pub(super) raw: bool,
    pub(super) size: Option<u32>,
    pub(super) parallel: Option<u32>,
    pub(super) sessions: Option<u64>,
    pub(super) listener_cpu_s: Option<f64>,
    pub(super) listener_rss_bytes: Option<u64>,
    pub(super) rss_bytes_per_session: Option<u64>,
    pub(super) listener_rss_bytes_per_session: Option<u64>,
}

impl Report {
    /// Without what depends on the mode.
    pub(super) fn new(bench: &Bench, span: &Span) -> Self {
        Self {
            cpu_s: span.cpu_s,
            rss_bytes: span.end.own.rss_bytes,
            raw: bench.raw,
            size: Some(bench.size),
            parallel: Some(bench.parallel),
            listener_cpu_s: span.listener_cpu_s,
            listener_rss_bytes: span.end.listener.rss_bytes,
            ..Self::empty(bench.mode, bench.plain, span.seconds)
        }
    }

    pub(super) const fn empty(mode: Mode, plain: bool, seconds: f64) -> Self {
        Self {
            mode,
            seconds,
            bytes: 0,
            bytes_per_s: 0.0,
            messages_per_s: None,
            packets_per_s: None,
            round_trips_per_s: None,
            sessions_per_s: None,
            failures: 0,
            cpu_s: None,
            rss_bytes: None,
            rtt_us: None,
            plain,
            raw: false,
            size: None,
            parallel: None,
            sessions: None,
            listener_cpu_s: None,
            listener_rss_bytes: None,
            rss_bytes_per_session: None,
            listener_rss_bytes_per_session: None,
        }
    }

    /// Prints it for people.
    pub(super) fn print(&self) {
        out::line(out::paint(out::BOLD, self.title()));
        self.print_rates();
        self.print_rtt();
        self.print_cost();
    }

    fn title(&self) -> String {
        let over = match (self.raw, self.plain) {
            (true, _) => "uTP alone",
            (false, true) => "plain TCP",
            (false, false) => "Crust",
        };
        let what = match (self.mode, self.size, self.parallel) {
            (Mode::Connect | Mode::Idle, _, Some(parallel)) => format!(", {parallel} at a time"),
            (_, Some(size), Some(parallel)) => {
                let many = if parallel > 1 {
                    format!(" on {parallel} sessions")
                } else {
                    String::new()
                };
                format!(", messages of {size} bytes{many}")
            }
            _ => String::new(),
        };
        format!(
            "{} over {over}{what}, {:.2} s",
            self.mode.name(),
            self.seconds
        )
    }

    fn print_rates(&self) {
        let rate = |name: &str, value: Option<f64>| {
            if let Some(value) = value {
                row(name, &format!("{}/s", units::count(value)), out::GOOD);
            }
        };
        rate("messages", self.messages_per_s);
        rate("packets", self.packets_per_s);
        rate("round trips", self.round_trips_per_s);
        rate("set-ups", self.sessions_per_s);
        if self.bytes > 0 {
            let speed = format!("{}/s", units::bytes(self.bytes_per_s));
            row("speed", &speed, out::GOOD);
        }
        if self.failures > 0 {
            row("failures", &self.failures.to_string(), out::BAD);
        }
    }

    fn print_rtt(&self) {
        let Some(rtt) = &self.rtt_us else { return };
        let times = [
            ("min", rtt.min),
            ("50 %", rtt.p50),
            ("90 %", rtt.p90),
            ("99 %", rtt.p99),
            ("99.9 %", rtt.p999),
            ("max", rtt.max),
        ];
        let times: Vec<String> = times
            .iter()
            .map(|(name, us)| format!("{} {}", out::paint(out::DIM, name), units::micros(*us)))
            .collect();
        row("round trip", &times.join("  "), out::PLAIN);
    }

    fn print_cost(&self) {
        let cpu = |name: &str, cpu_s: Option<f64>| {
            if let Some(cpu_s) = cpu_s {
                let share = 100.0 * cpu_s / self.seconds;
                let text = format!("{cpu_s:.3} s, {share:.1} % of a core");
                row(name, &text, out::PLAIN);
            }
        };
        cpu("processor here", self.cpu_s);
        cpu("processor there", self.listener_cpu_s);
        let both = self.cpu_s.zip(self.listener_cpu_s);
        if let Some(text) = both.and_then(|(own, far)| self.cost_of_each(own + far)) {
            row("both together", &text, out::GOOD);
        }
        memory("memory here", self.rss_bytes, self.rss_bytes_per_session);
        memory(
            "memory there",
            self.listener_rss_bytes,
            self.listener_rss_bytes_per_session,
        );
    }

    /// What one unit of the work costs both ends together.
    fn cost_of_each(&self, cpu_s: f64) -> Option<String> {
        let each = |rate: f64| units::micros(1e6 * cpu_s / (rate * self.seconds));
        match self.mode {
            Mode::Stream => {
                let per_gb = 1e9 * cpu_s / (self.bytes_per_s * self.seconds);
                Some(format!("{per_gb:.2} s for each GB"))
            }
            Mode::Messages => Some(format!("{} for each message", each(self.messages_per_s?))),
            Mode::Pingpong => Some(format!(
                "{} for each round trip",
                each(self.round_trips_per_s?)
            )),
            Mode::Connect => Some(format!("{} for each set-up", each(self.sessions_per_s?))),
            Mode::Idle => None,
        }
    }
}

fn memory(name: &str, rss_bytes: Option<u64>, per_session: Option<u64>) {
    let Some(rss_bytes) = rss_bytes else { return };
    let mut text = units::memory(rss_bytes);
    if let Some(each) = per_session {
        text += &format!(
            ", {} for each session",
            out::paint(out::GOOD, units::memory(each))
        );
    }
    row(name, &text, out::PLAIN);
}

fn row(name: &str, value: &str, style: anstyle::Style) {
    out::line(format!("  {name:<16}{}", out::paint(style, value)));
}

pub(super) fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
