//! The `gateway` example as its user runs it: a few seconds of load, its tables, its JSON, its exit
//! status, and what it says to bad flags.

mod gateway;

use std::{process::Command, time::Duration};

use gateway::{Ended, Gateway, binary};
use serde_json::Value;

/// For three runs of a second each, on a machine that may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(flags: &[&str]) -> Ended {
    Gateway::start(Command::new(binary()).args(flags)).finish(PATIENCE)
}

#[test]
fn the_registry_neither_leaks_nor_misroutes_under_a_load_that_the_naive_maps_fail() {
    let run = run(&["--seconds", "1", "--clients", "60", "--seed", "7", "--json"]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).expect("one JSON object on stdout");
    assert_eq!(report["ok"], true);
    assert_eq!(report["seed"], 7);
    assert_eq!(report["max_clients"], 54);

    let designs = report["designs"].as_array().expect("a list of designs");
    let names: Vec<_> = designs.iter().map(|design| design["design"].as_str()).collect();
    assert_eq!(names, [Some("registry"), Some("naive"), Some("careful")]);
    let [registry, naive, careful] = &designs[..] else {
        unreachable!("three names, three designs")
    };

    for design in designs {
        let traffic = &design["traffic"];
        for event in
            ["delivered", "no_such_node", "refused", "takeovers", "left", "crashes", "bad_frames"]
        {
            assert!(count(&traffic[event]) > 0, "no {event}: {design:#}");
        }
        assert_eq!(traffic["lost"], 0, "{design:#}");
        assert_eq!(design["double_drops"], 0);
        assert_eq!(design["never_dropped"], 0);
        assert!(design["connects_per_second"].as_f64() > Some(0.0));
        assert!(design["messages_per_second"].as_f64() > Some(0.0));
        let last = samples(design).last().expect("a sample once stopped");
        assert_eq!(last["connects"], last["disconnects"]);
        assert_eq!(last["clients"], 0);
    }
    for design in [registry, careful] {
        assert_eq!(design["faults"], Value::Array(Vec::new()));
        assert_eq!(design["traffic"]["misroutes"], 0);
        for sample in samples(design) {
            assert_eq!(sample["leaked"], 0, "{design:#}");
            assert_eq!(sample["clients"], sample["joined"], "{design:#}");
            assert!(count(&sample["clients"]) <= 54, "{design:#}");
        }
    }
    let leaks = samples(naive).iter().map(|sample| count(&sample["leaked"]));
    assert!(leaks.clone().is_sorted(), "a leak only grows: {naive:#}");
    assert!(leaks.max() > Some(0), "{naive:#}");
    assert!(count(&naive["traffic"]["misroutes"]) > 0, "{naive:#}");
}

#[test]
fn the_tables_show_the_leak_and_the_exit_status_follows_the_judged_design() {
    let run =
        run(&["--seconds", "1", "--clients", "20", "--max-clients", "15", "--judge", "naive"]);
    assert_eq!(run.status, Some(1), "the naive maps leak: {}{}", run.stdout, run.stderr);
    let heads = ["Time", "Connects", "Disconnects", "clients", "client_streams", "Leaked"];
    let tables = run.stdout.lines().filter(|line| line.split_whitespace().eq(heads)).count();
    assert_eq!(tables, 3, "{}", run.stdout);
    let row = |name: &str| {
        run.stdout.lines().find(|line| line.trim_start().starts_with(name) && line.len() > 60)
    };
    for name in ["registry", "naive", "careful"] {
        let row = row(name).unwrap_or_else(|| panic!("no row of rates for {name}: {}", run.stdout));
        let leaked = row.split_whitespace().last();
        assert_eq!(leaked == Some("0"), name != "naive", "{}", run.stdout);
    }
    assert!(run.stdout.contains("streams leaked"), "{}", run.stdout);
    assert_eq!(run.stderr, "", "no progress bar where there is no terminal");
}

#[test]
fn bad_flags_get_a_clear_error() {
    let cases: [(&[&str], &str); 9] = [
        (&["--frobnicate"], "unexpected argument '--frobnicate'"),
        (&["--clients", "0"], "0 is not in 1..=10000"),
        (&["--clients", "many"], "invalid digit"),
        (&["--seconds", "0"], "0 is not in 1..=3600"),
        (&["--max-clients", "-1"], "unexpected argument '-1'"),
        (&["--seed", ""], "--seed"),
        (&["--listen", "nowhere"], "like 127.0.0.1:7000"),
        (&["--listen", "192.0.2.1:80"], "loopback addresses only"),
        (&["--listen", "127.0.0.1:0", "--json"], "cannot be used with"),
    ];
    for (flags, message) in cases {
        let run = run(flags);
        assert_eq!(run.status, Some(2), "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{flags:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{flags:?}");
    }
}

fn samples(design: &Value) -> &[Value] {
    design["samples"].as_array().expect("a list of samples")
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}
