use super::*;
use core::convert::Infallible;

/// Stores one-octet frames taken from `data`, as the guest's buffer holds them.
fn store(shadow: &mut Shadow, ring: &mut [u8], first: u32, data: &[u8], known: u64) -> Storing {
    let result: Result<Storing, Infallible> =
        shadow.store(first, data.len() as u32, known, |range| {
            let from = range.start - first as usize;
            ring[range.clone()].copy_from_slice(&data[from..from + range.len()]);
            Ok(())
        });
    result.unwrap()
}

#[test]
fn silence_that_is_written_anew_only_lasted_longer() {
    let mut ring = [0; 8];
    let mut shadow = Shadow::new(8, 1, [0; 8]);
    store(&mut shadow, &mut ring, 0, &[1, 0, 0, 0, 0, 0, 0, 0], 0);
    assert_eq!(mix(&mut shadow, &mut ring, 1), [1]);
    assert_eq!(mix(&mut shadow, &mut ring, 4), [0; 4]);
    let storing = store(&mut shadow, &mut ring, 2, &[5, 6, 7], 1);
    assert!(storing.anew && storing.unmixed == 3 && storing.late == 0);
    assert_eq!(shadow.mixed(), 2);
    assert_eq!(mix(&mut shadow, &mut ring, 7), [5, 6, 7, 0, 0, 0]);
}

#[test]
fn sound_that_is_written_anew_too_late_stays_as_it_was_heard() {
    let mut ring = [0; 8];
    let mut shadow = Shadow::new(8, 1, [0; 8]);
    store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6, 7, 8], 0);
    mix(&mut shadow, &mut ring, 4);
    let storing = store(&mut shadow, &mut ring, 2, &[13, 14, 15, 16], 1);
    assert!(storing.anew && storing.unmixed == 0 && storing.late == 2);
    assert_eq!(mix(&mut shadow, &mut ring, 4), [15, 16, 7, 8]);
    let next = store(&mut shadow, &mut ring, 0, &[9], 4);
    assert!(!next.anew, "it goes on where it had stopped");
}

fn mix(shadow: &mut Shadow, ring: &mut [u8], frames: usize) -> std::vec::Vec<u8> {
    let (one, two) = shadow.next(ring, frames);
    let heard = [one, two].concat();
    shadow.consume(ring, frames);
    heard
}

extern crate std;

#[test]
fn what_was_mixed_is_silent_the_next_time_round() {
    let mut ring = [0x80; 8];
    let mut shadow = Shadow::new(8, 1, [0x80; 8]);
    store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6, 7, 8], 0);
    assert_eq!(mix(&mut shadow, &mut ring, 6), [1, 2, 3, 4, 5, 6]);
    assert_eq!(mix(&mut shadow, &mut ring, 6), [7, 8], "there is no more");
    assert_eq!(ring, [128; 8]);
}

#[test]
fn frames_for_a_place_already_mixed_are_left_out_and_counted() {
    let mut ring = [0; 8];
    let mut shadow = Shadow::new(8, 1, [0; 8]);
    store(&mut shadow, &mut ring, 0, &[1, 2], 0);
    assert_eq!(mix(&mut shadow, &mut ring, 4), [1, 2]);
    // The guest knows of frame 1 only; 2 and 3 are late, 4 is not.
    let storing = store(&mut shadow, &mut ring, 2, &[3, 4, 5], 1);
    assert_eq!(
        storing,
        Storing {
            late: 2,
            gap: 2,
            ..Storing::default()
        }
    );
    assert_eq!(mix(&mut shadow, &mut ring, 8), [5]);
}

#[test]
fn a_full_buffer_is_no_late_one() {
    let mut ring = [0; 8];
    let mut shadow = Shadow::new(8, 1, [0; 8]);
    store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6, 7, 8], 0);
    mix(&mut shadow, &mut ring, 5);
    // Three are played and known, two more are mixed: three places are free.
    let storing = store(&mut shadow, &mut ring, 0, &[9, 10, 11], 3);
    assert_eq!(storing, Storing::default());
    assert_eq!(mix(&mut shadow, &mut ring, 6), [6, 7, 8, 9, 10, 11]);
}

#[test]
fn a_gap_counts_once_and_only_when_data_resumes() {
    let mut ring = [0; 8];
    let mut shadow = Shadow::new(8, 1, [0; 8]);
    mix(&mut shadow, &mut ring, 3);
    let begins = store(&mut shadow, &mut ring, 3, &[1, 2], 3);
    assert_eq!(begins.gap, 0, "silence before the first data is no gap");
    mix(&mut shadow, &mut ring, 4);
    let late = store(&mut shadow, &mut ring, 5, &[3, 4], 5);
    assert_eq!(
        late,
        Storing {
            late: 2,
            ..Storing::default()
        }
    );
    let resumed = store(&mut shadow, &mut ring, 7, &[5], 7);
    assert_eq!(resumed.gap, 2);
    assert_eq!(store(&mut shadow, &mut ring, 0, &[6], 7).gap, 0);
    assert_eq!(mix(&mut shadow, &mut ring, 2), [5, 6]);
}

#[test]
fn after_a_stop_the_ring_is_silent_and_begins_at_its_start() {
    let mut ring = [0; 6];
    let mut shadow = Shadow::new(6, 1, [0; 8]);
    store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6], 0);
    mix(&mut shadow, &mut ring, 4);
    store(&mut shadow, &mut ring, 0, &[7, 8], 4);
    shadow.stop(&mut ring);
    assert_eq!(ring, [0; 6]);
    store(&mut shadow, &mut ring, 0, &[9], 0);
    assert_eq!(mix(&mut shadow, &mut ring, 2), [9]);
}

#[test]
fn silence_follows_the_pattern_in_wide_formats() {
    let mut ring = [1; 20];
    let mut shadow = Shadow::new(5, 4, [0, 0, 0x80, 0, 0, 0, 0x80, 0]);
    shadow.clear(&mut ring);
    assert_eq!(ring, [0, 0, 0x80, 0].repeat(5)[..]);
    mix(&mut shadow, &mut ring, 3);
    mix(&mut shadow, &mut ring, 3);
    assert_eq!(ring, [0, 0, 0x80, 0].repeat(5)[..]);
}

#[test]
fn no_write_whatever_stores_outside_the_ring_or_twice() {
    for known in 0..12_u64 {
        for mixed in known..24 {
            for first in 0..8_u32 {
                for frames in 1..=8 - first {
                    let mut shadow = Shadow::new(8, 1, [0; 8]);
                    shadow.mixed = mixed;
                    let mut seen = [0; 8];
                    let result: Result<Storing, Infallible> =
                        shadow.store(first, frames, known, |range| {
                            seen[range].iter_mut().for_each(|count| *count += 1);
                            Ok(())
                        });
                    let kept: u32 = seen.iter().sum();
                    assert_eq!(kept + result.unwrap().late, frames);
                    assert!(seen.iter().all(|count| *count <= 1));
                    assert!(shadow.stored <= mixed.max(known) + 8);
                }
            }
        }
    }
}
