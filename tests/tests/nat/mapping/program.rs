//! A process on a host that maps ports, and what it reports.

use std::{
    fmt::Debug,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use crust_core::rt;
use crust_tests::netlab::Host;
use serde_json::Value;

/// A process that maps ports of its host; its name is the host's address.
#[derive(Debug)]
pub(crate) struct Program {
    process: Child,
    input: Option<ChildStdin>,
    reports: Receiver<Report>,
    last: Report,
    started_at: Instant,
}

/// What it says at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report(Value);

impl Program {
    /// Starts it with these arguments behind the name.
    pub(crate) fn start(host: &Host, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crust-map"));
        command
            .arg(host.ip().to_string())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let started_at = rt::now();
        let mut process = host.spawn(&mut command);
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, reports) = mpsc::sync_channel(MAX_REPORTS);
        thread::spawn(move || {
            for line in output.lines() {
                let report = Report(serde_json::from_str(&line.unwrap()).unwrap());
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            input,
            reports,
            last: Report::default(),
            started_at,
        }
    }

    /// The first report, the present one included, of which `fact` is so.
    #[track_caller]
    pub(crate) fn wait(&mut self, fact: impl Fn(&Report) -> bool) -> Report {
        self.wait_for(FACT_LIMIT, fact)
    }

    /// The same within another time.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, limit: Duration, fact: impl Fn(&Report) -> bool) -> Report {
        let deadline = rt::now() + limit;
        while !fact(&self.last) {
            let left = deadline.saturating_duration_since(rt::now());
            match self.reports.recv_timeout(left) {
                Ok(report) => self.last = report,
                Err(error) => panic!("{error}; the last report is {:#?}", self.last.0),
            }
        }
        self.last.clone()
    }

    /// The report after the last.
    #[track_caller]
    pub(crate) fn next_report(&mut self, limit: Duration) -> Report {
        self.last = self.reports.recv_timeout(limit).unwrap();
        self.last.clone()
    }

    /// The first report with so many mappings, all by `protocol`.
    #[track_caller]
    pub(crate) fn wait_mapped(&mut self, count: usize, protocol: &str) -> Report {
        self.wait(|report| {
            report.externals().len() == count
                && report.mappings().all(|it| text(it, "protocol") == protocol)
        })
    }

    /// The time since it was started, which its own clock is some milliseconds behind.
    pub(crate) fn elapsed(&self) -> Duration {
        rt::now() - self.started_at
    }

    /// Says a line to it.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Has it look at everything anew until `fact` is so.
    #[track_caller]
    pub(crate) fn refresh_until(&mut self, fact: impl Fn(&Report) -> bool) -> Report {
        let deadline = rt::now() + FACT_LIMIT;
        let mut refresh_at = rt::now();
        while !fact(&self.last) {
            if rt::now() >= refresh_at {
                self.say("refresh");
                refresh_at = rt::now() + REFRESH_EVERY;
            }
            if let Ok(report) = self.reports.recv_timeout(until(refresh_at)) {
                self.last = report;
            }
            assert!(rt::now() < deadline, "it is still {:#?}", self.last.0);
        }
        self.last.clone()
    }

    /// Ends it in peace; gives how long that took.
    pub(crate) fn stop(mut self) -> Duration {
        let start = rt::now();
        drop(self.input.take());
        assert!(self.process.wait().unwrap().success());
        rt::now() - start
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Report {
    /// When it was made, after the start.
    pub(crate) fn at(&self) -> Duration {
        Duration::from_millis(self.0["at_ms"].as_u64().unwrap())
    }

    /// Whether every protocol was heard or has been silent for long.
    pub(crate) fn is_complete(&self) -> bool {
        self.0["is_complete"] == true
    }

    /// The ports that are mapped, and where they are from outside.
    pub(crate) fn externals(&self) -> Vec<(String, SocketAddr)> {
        let external = |it: &Value| (text(it, "port").to_owned(), text(it, "external").parse());
        let externals = self.mappings().map(external);
        externals
            .map(|(port, addr)| (port, addr.unwrap()))
            .collect()
    }

    /// Where a port is from outside.
    #[track_caller]
    pub(crate) fn external(&self, port: &str) -> SocketAddr {
        text(self.mapping(port), "external").parse().unwrap()
    }

    /// One fact of a port's mapping.
    #[track_caller]
    pub(crate) fn mapping(&self, port: &str) -> &Value {
        let mapping = self.mappings().find(|it| text(it, "port") == port);
        mapping.unwrap_or_else(|| panic!("{port} is not mapped: {:#?}", self.0))
    }

    /// When its mappings run out, after the start.
    pub(crate) fn expiries(&self) -> Vec<Duration> {
        let expiry = |it: &Value| it["expires_at_ms"].as_u64().map(Duration::from_millis);
        self.mappings().filter_map(expiry).collect()
    }

    /// What is known of a protocol.
    pub(crate) fn status(&self, protocol: &str) -> &str {
        self.protocol(protocol)
            .map_or("unknown", |it| text(it, "status"))
    }

    /// Why a protocol failed, or refused its first port.
    pub(crate) fn why(&self, protocol: &str) -> Option<&str> {
        let protocol = self.protocol(protocol)?;
        let refused = || protocol["refusals"][0]["why"].as_str();
        protocol["why"].as_str().or_else(refused)
    }

    /// A protocol's clock.
    pub(crate) fn epoch_s(&self, protocol: &str) -> Option<u64> {
        self.protocol(protocol)?["epoch_s"].as_u64()
    }

    fn protocol(&self, name: &str) -> Option<&Value> {
        let mut protocols = list(&self.0, "protocols");
        protocols.find(|it| text(it, "protocol") == name)
    }

    fn mappings(&self) -> impl Iterator<Item = &Value> {
        list(&self.0, "mappings")
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn until(at: Instant) -> Duration {
    at.saturating_duration_since(rt::now())
}

/// More than a program says in a test.
const MAX_REPORTS: usize = 10_000;
const FACT_LIMIT: Duration = Duration::from_secs(30);
/// A check of all protocols takes some milliseconds where they answer.
const REFRESH_EVERY: Duration = Duration::from_millis(250);
