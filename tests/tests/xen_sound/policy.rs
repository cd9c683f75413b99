//! What dom0 says of a guest.

use super::*;

/// The levels of a tone that follow one another, in dB of full scale: each lasts for half a second
/// at least. Digital silence of a second or more is minus infinity.
fn levels(recording: &Recording) -> Vec<f64> {
    const WINDOW: usize = RATE as usize / 20;
    let mut levels: Vec<f64> = Vec::new();
    let mut run = (f64::NAN, 0);
    for window in recording.channel(0).chunks_exact(WINDOW) {
        let power = window.iter().map(|sample| sample * sample).sum::<f64>();
        let level = 10.0 * (2.0 * power / WINDOW as f64).log10();
        let same = level == run.0 || (level - run.0).abs() < 0.02;
        run = if same { (level, run.1 + 1) } else { (level, 1) };
        let long = if level.is_finite() { 10 } else { 20 };
        let news = levels
            .last()
            .is_none_or(|last| *last != level && (last - level).abs() > 0.01);
        if run.1 == long && news {
            levels.push(level);
        }
    }
    levels
}

#[test]
fn what_dom0_says_of_a_guest_is_heard_at_once_and_after_restarts_of_both_domains() {
    let file = material("policy").join("tone.wav");
    let tone = Tone {
        rate: RATE,
        channels: 2,
        frequency: 1_000.0,
        amplitude: 0.25,
        seconds: 20.0,
    };
    tone.write(&file, 16).expect("the material is written");
    // Two guests and two audio domains boot: on a loaded host that takes a while.
    let run = Run::new(include_str!("../../scripts/policy.sh")).timeout(Duration::from_secs(900));
    let (outcome, recording) = go(run, &[&file]);
    let levels = levels(&recording);
    let sounds: Vec<f64> = levels
        .iter()
        .copied()
        .filter(|level| level.is_finite())
        .collect();
    let first = sounds.first().copied().unwrap_or(f64::NAN);
    let changes: Vec<f64> = sounds.iter().map(|level| level - first).collect();
    println!("levels {levels:.2?}, changes {changes:.3?}");
    // Full, softer, muted, as before; softer still after the guest's restart; 50% after the audio
    // domain's.
    let wanted = [0.0, -6.0, -6.0, -12.0, -6.021];
    assert_eq!(changes.len(), wanted.len(), "{levels:?}\n{outcome}");
    for (change, wanted) in changes.iter().zip(wanted) {
        assert!((change - wanted).abs() < 0.1, "{changes:?}\n{outcome}");
    }
    let softer = levels
        .iter()
        .position(|level| (level - first + 6.0).abs() < 0.1);
    let muted = softer.and_then(|at| levels.get(at + 1));
    assert_eq!(muted, Some(&f64::NEG_INFINITY), "{levels:?}\n{outcome}");
    let status = outcome.log("status");
    assert!(status.contains("\"volume_db\": -6.0"), "{status}");
    let again = millis(&outcome, "plays again after ");
    println!(
        "reattached after {} ms, plays after {again} ms",
        millis(&outcome, "reattached after ")
    );
    assert!(
        again < 2_500,
        "more than two seconds, and half a one until it is told\n{outcome}"
    );
}
