//! The tree is formatted, free of lints and fully documented.

use std::process::Command;

/// Runs cargo in the workspace and fails with its output if it does.
fn cargo(arguments: &[&str], environment: &[(&str, &str)]) {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo {}\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_file_is_formatted() {
    cargo(&["fmt", "--all", "--check"], &[]);
}

#[test]
fn the_hosted_crates_have_no_lints() {
    cargo(&["clippy", "-q", "--all-targets", "--", "-Dwarnings"], &[]);
}

#[test]
fn the_kernel_has_no_lints() {
    kernel(&[], "target/kernel");
}

#[test]
fn the_small_guest_has_no_lints() {
    kernel(&["--features", "guest"], "target/stand-in");
}

/// As `cargo kernel` and `cargo stand-in` build it; a check links nothing.
fn kernel(features: &[&str], to: &str) {
    let mut words = vec!["clippy", "-q", "-p", "kernel"];
    words.extend(features);
    words.extend(["--profile", "kernel"]);
    words.extend(["--target", "x86_64-unknown-linux-gnu", "--target-dir", to]);
    words.extend(["--config", "boot/kernel.toml", "--", "-Dwarnings"]);
    cargo(&words, &[]);
}

#[test]
fn the_documentation_builds_without_warnings() {
    cargo(
        &["doc", "-q", "--no-deps"],
        &[("RUSTDOCFLAGS", "-Dwarnings")],
    );
}
