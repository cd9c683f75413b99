//! Guests and their cards, the audio domain itself: how they come, go and come back, on real Xen.
//!
//! What is found is recorded in `target/rig/matrix.json`; `cargo rig suite` adds what takes longer.

use tests::suite::matrix::Verdict;
use tests::suite::{Setup, findings};

fn all_pass(check: &str) {
    let findings = findings(check, Setup::default()).expect("the matrix is written");
    for finding in &findings {
        println!("{finding}");
    }
    let failed: Vec<_> = findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Pass)
        .collect();
    assert!(failed.is_empty() && !findings.is_empty(), "{failed:#?}");
}

#[test]
fn cards_come_and_go_and_guests_end_in_every_way_while_another_plays_on() {
    all_pass("life");
}

#[test]
fn the_audio_domain_comes_back_by_itself_after_a_crash() {
    all_pass("crash");
}
