//! Measurements between two processes: that they work, not how fast.

use serde_json::Value;

use crate::process::{Running, run, stderr, stdout, text};

#[test]
fn every_mode_measures_crust_and_plain_tcp() {
    let (mut listener, contact) = listen(&[]);
    for mode in ["stream", "messages", "pingpong", "connect", "idle"] {
        for plain in [false, true] {
            let report = measure(&contact, mode, plain);
            check(&report, mode);
            let own = listener.line();
            assert_eq!(
                (&own["mode"], &own["plain"]),
                (&report["mode"], &plain.into())
            );
            if mode != "idle" && mode != "connect" {
                assert!(own["bytes"].as_u64() >= report["bytes"].as_u64(), "{own}");
            }
        }
    }
}

#[test]
fn several_sessions_are_measured_together() {
    let (mut listener, contact) = listen(&["--once"]);
    let args = ["--mode", "pingpong", "--parallel", "3", "--size", "7"];
    let report = run_json(&contact, &args);
    assert_eq!(
        (&report["parallel"], &report["size"]),
        (&3.into(), &7.into())
    );
    assert_eq!(listener.line()["sessions"], 3);
    assert_eq!(listener.exit_code(), Some(0));
}

#[test]
fn plain_run_may_name_the_plain_port() {
    let mut listener = Running::start(&["perf", "listen", "--json", "--once"]);
    let listening = listener.event("listening");
    let report = measure(text(&listening, "plain"), "stream", true);
    check(&report, "stream");
    let own = listener.line();
    assert_eq!(
        (&own["mode"], &own["plain"]),
        (&"stream".into(), &true.into())
    );
    assert!(own["bytes"].as_u64() >= report["bytes"].as_u64(), "{own}");
    assert_eq!(listener.exit_code(), Some(0));
}

#[test]
fn listener_that_is_not_there_is_exit_code_3() {
    let output = run(&["perf", "run", "tcp://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("tcp://127.0.0.1:1"));
}

fn listen(args: &[&str]) -> (Running, String) {
    let mut listener = Running::start(&[&["perf", "listen", "--json"], args].concat());
    let listening = listener.event("listening");
    let (peer, addr) = (text(&listening, "peer"), text(&listening, "addr"));
    let contact = format!("{peer}@{addr}");
    (listener, contact)
}

fn measure(contact: &str, mode: &str, plain: bool) -> Value {
    let parallel = match mode {
        "connect" => "4",
        "idle" => "20",
        _ => "1",
    };
    let mut args = vec!["--mode", mode, "--parallel", parallel];
    if plain {
        args.push("--plain");
    }
    run_json(contact, &args)
}

fn run_json(contact: &str, args: &[&str]) -> Value {
    let always = ["perf", "run", contact, "--json", "--seconds", "0.5"];
    let output = run(&[&always, args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// Each mode's own figures are there and the others' are null.
fn check(report: &Value, mode: &str) {
    assert_eq!(report["mode"], mode);
    assert!(report["seconds"].as_f64().unwrap() >= 0.5, "{report}");
    assert_eq!(report["failures"], 0, "{report}");
    let figures = [
        ("messages_per_s", ["stream", "messages"].contains(&mode)),
        ("round_trips_per_s", mode == "pingpong"),
        ("sessions_per_s", mode == "connect"),
    ];
    for (figure, wanted) in figures {
        let value = report[figure].as_f64();
        assert_eq!(
            value.is_some_and(|value| value > 0.0),
            wanted,
            "{figure} in {report}"
        );
    }
    assert_eq!(report["rtt_us"].is_object(), mode == "pingpong", "{report}");
    let moved = !["connect", "idle"].contains(&mode);
    for figure in ["bytes", "bytes_per_s"] {
        assert_eq!(report[figure].as_f64().unwrap() > 0.0, moved, "{report}");
    }
    if cfg!(target_os = "linux") {
        for figure in ["cpu_s", "rss_bytes", "listener_cpu_s", "listener_rss_bytes"] {
            assert!(
                report[figure].as_f64().unwrap() > 0.0,
                "{figure} in {report}"
            );
        }
    }
}
