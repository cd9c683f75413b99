//! What dom0 says of the card itself.

use super::*;

#[test]
fn what_dom0_says_of_the_card_counts() {
    let file = material("card").join("noise.wav");
    let noise = stereo(&file, signal::noise(7, RATE as usize));
    let (outcome, recording) = run(include_str!("../../scripts/card.sh"), &[&file]);
    let said = |what| {
        let mut lines = outcome.said();
        let line = lines.find_map(|line| line.split_once(what));
        line.map(|(_, rest)| rest.to_string())
    };
    let bad = said("BAD: ");
    let named = "no card: control/card/overrides: bad word `pin=zz`";
    assert_eq!(bad.as_deref(), Some(named), "{outcome}");
    assert_eq!(said("GOOD: ").as_deref(), Some("Speaker"), "{outcome}");
    // Twice whole, and in between, muted, not at all.
    let sounding = recording.sounding(RATE as usize / 10);
    assert_eq!(sounding.len(), 2, "{sounding:?}\n{outcome}");
    for stretch in &sounding {
        let found = exact::find(&noise, &recording.frames[stretch.start..]);
        assert!(matches!(found, Match::At(_)), "{found}\n{outcome}");
    }
    let silence = sounding[1].start - sounding[0].end;
    println!("silent for {} ms", silence * 1000 / RATE as usize);
    assert!(
        silence > RATE as usize,
        "the second was played, and not heard"
    );
}
