//! The machine itself: it comes up, goes on from where it was saved, and tells how a run went.

use std::time::Duration;
use tests::rig::{Outcome, Run};

fn run(script: &str) -> Outcome {
    let run = Run::new(script)
        .without_audiodom()
        .timeout(Duration::from_secs(180));
    run.go().expect("the machine runs")
}

/// The first number in what the script printed.
fn number(outcome: &Outcome) -> u64 {
    let found = outcome.said().find_map(|line| line.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no number in\n{outcome}"))
}

#[test]
fn dom0_is_up_and_owns_no_sound_card() {
    let outcome = run("xl list; xl pci-assignable-list; ls /proc/asound 2>&1");
    let said: Vec<&str> = outcome.said().collect();
    assert!(
        said.iter().any(|line| line.starts_with("Domain-0")),
        "{outcome}"
    );
    assert!(
        said.iter().any(|line| line.contains("00:1b.0")),
        "{outcome}"
    );
    assert!(
        said.iter().any(|line| line.contains("No such file")),
        "{outcome}"
    );
}

#[test]
fn every_run_goes_on_from_the_same_instant_without_booting() {
    let [one, two] = [run("uptime_ms"), run("uptime_ms")];
    assert!(number(&one).abs_diff(number(&two)) <= 20, "{one}\n{two}");
    let booted = |outcome: &Outcome| {
        outcome
            .lines
            .iter()
            .any(|line| line.text.contains("Xen version"))
    };
    assert!(!booted(&one) && !booted(&two), "{one}");
}

#[test]
fn the_scripts_status_is_the_runs() {
    assert_eq!(run("exit 0").status, 0);
    assert_eq!(run("false || exit 41").status, 41);
}

#[test]
fn a_script_that_hangs_is_ended_and_its_logs_are_there() {
    let run = Run::new("echo before; while :; do :; done").without_audiodom();
    let outcome = run
        .timeout(Duration::from_secs(40))
        .go()
        .expect("the machine runs");
    assert!(outcome.timed_out && outcome.status == 124, "{outcome}");
    assert!(outcome.said().any(|line| line == "before"), "{outcome}");
    assert!(
        outcome.dir.join("share/logs/xenstore").exists(),
        "{outcome}"
    );
}

#[test]
fn a_linux_guest_runs_its_commands_with_the_hosts_file_and_alsas_programs() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("word");
    std::fs::write(&file, "shared\n").expect("a file");
    let script = "guest one 'cat /deep/in/word; aplay --version; exit 9' none; wait_guest one 150";
    let run = Run::new(script)
        .without_audiodom()
        .guest_file(&file, "/deep/in/word");
    let outcome = run.go().expect("the machine runs");
    assert_eq!(outcome.status, 9, "{outcome}");
    assert!(outcome.log("one").contains("shared"), "{outcome}");
    assert!(outcome.log("one").contains("aplay: version"), "{outcome}");
}
