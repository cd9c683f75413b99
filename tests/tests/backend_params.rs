//! Answers to HW_PARAM_QUERY: what they name can be opened, and they name all of it.

use ring_backend::format::{FormatSet, SampleFormat};
use ring_backend::hw_params::Rules;
use ring_backend::link::{Direction, Rates, StreamConfig};
use ring_backend::wire::{Interval, Open, Parameters};
use ring_backend::world::ClaimedRef;
use tests::fake::seed::Seed;
use tests::fake::stage::liberal;

const ALL: Interval = Interval {
    min: 0,
    max: u32::MAX,
};

fn anything() -> Parameters {
    Parameters {
        formats: u64::MAX,
        rates: ALL,
        channels: ALL,
        buffer: ALL,
        period: ALL,
    }
}

const fn exactly(value: u32) -> Interval {
    Interval {
        min: value,
        max: value,
    }
}

fn rules(config: &StreamConfig) -> Rules {
    Rules::new(config, 256 << 10)
}

fn listed(rates: &[u32]) -> StreamConfig {
    StreamConfig {
        formats: FormatSet::of(SampleFormat::S16Le).union(FormatSet::of(SampleFormat::S32Le)),
        rates: Rates::Listed(rates.iter().copied().collect()),
        channels_min: 2,
        channels_max: 2,
        buffer_octets: 65_536,
        ..liberal(Direction::Playback)
    }
}

#[test]
fn an_open_question_is_answered_with_the_configuration() {
    let space = rules(&listed(&[44_100, 48_000]))
        .narrow(&anything())
        .unwrap();
    assert_eq!(space.formats, 1 << 2 | 1 << 10);
    assert_eq!(
        space.rates,
        Interval {
            min: 44_100,
            max: 48_000
        }
    );
    assert_eq!(space.channels, exactly(2));
    // In frames: 64 KiB are 16384 of 16-bit stereo; a period is a millisecond at least.
    assert_eq!(
        space.buffer,
        Interval {
            min: 90,
            max: 16_384
        }
    );
    assert_eq!(space.period, Interval { min: 45, max: 8192 });
}

#[test]
fn a_rate_between_two_listed_ones_is_impossible() {
    let rules = rules(&listed(&[44_100, 48_000]));
    for (rates, possible) in [
        (exactly(44_100), true),
        (exactly(46_000), false),
        (
            Interval {
                min: 44_101,
                max: 192_000,
            },
            true,
        ),
        (
            Interval {
                min: 48_001,
                max: u32::MAX,
            },
            false,
        ),
    ] {
        let asked = Parameters {
            rates,
            ..anything()
        };
        assert_eq!(rules.narrow(&asked).is_some(), possible, "{rates:?}");
    }
}

#[test]
fn a_buffer_too_large_for_wide_samples_leaves_the_narrow_ones() {
    let asked = Parameters {
        buffer: exactly(16_384),
        ..anything()
    };
    let space = rules(&listed(&[48_000])).narrow(&asked).unwrap();
    assert_eq!(space.formats, 1 << 2);
    let asked = Parameters {
        formats: 1 << 10,
        ..asked
    };
    assert_eq!(rules(&listed(&[48_000])).narrow(&asked), None);
}

#[test]
fn a_period_below_a_millisecond_leaves_the_rates_for_which_it_is_none() {
    let asked = Parameters {
        period: exactly(64),
        ..anything()
    };
    let space = rules(&liberal(Direction::Playback)).narrow(&asked).unwrap();
    assert_eq!(space.rates.max, 64_000);
    assert!(space.buffer.min >= 128);
}

#[test]
fn an_answer_asked_again_is_the_same_answer() {
    let mut seed = Seed::new(5);
    let configs = [
        liberal(Direction::Playback),
        listed(&[8000, 44_100, 48_000, 96_000]),
    ];
    for round in 0..20_000 {
        let rules = rules(&configs[round % 2]);
        let asked = random(&mut seed);
        if let Some(space) = rules.narrow(&asked) {
            assert_eq!(rules.narrow(&space), Some(space), "{asked:?}");
            assert_eq!(space.formats & !asked.formats, 0);
            for (inner, outer) in intervals(&space).into_iter().zip(intervals(&asked)) {
                assert!(inner.min <= inner.max, "{asked:?}: {space:?}");
                assert!(
                    inner.min >= outer.min && inner.max <= outer.max,
                    "{asked:?}"
                );
            }
        }
    }
}

/// Linux narrows one parameter after another, asking again each time; wherever that ends must be
/// something that OPEN takes.
#[test]
fn however_a_guest_narrows_it_ends_with_what_opens() {
    let mut seed = Seed::new(6);
    let configs = [
        liberal(Direction::Playback),
        listed(&[8000, 44_100, 48_000, 96_000]),
    ];
    let mut opened = 0;
    for round in 0..20_000 {
        let config = &configs[round % 2];
        let rules = rules(config);
        let Some(mut space) = rules.narrow(&random(&mut seed)) else {
            continue;
        };
        let mut order = [0, 1, 2, 3, 4];
        for last in (1..5).rev() {
            order.swap(last, seed.below(last as u64 + 1) as usize);
        }
        for what in order {
            let before = space;
            match what {
                0 => space.formats = pick_format(&mut seed, space.formats),
                1 => space.rates = pick_rate(&mut seed, config, space.rates),
                2 => space.channels = pick(&mut seed, space.channels),
                3 => space.buffer = pick(&mut seed, space.buffer),
                _ => space.period = pick(&mut seed, space.period),
            }
            // ALSA takes another value where a choice leaves nothing.
            match rules.narrow(&space) {
                Some(narrowed) => space = narrowed,
                None => {
                    space = before;
                    break;
                }
            }
        }
        let single = intervals(&space)
            .iter()
            .all(|interval| interval.min == interval.max);
        if !single || space.formats.count_ones() != 1 {
            continue;
        }
        let format = space.formats.trailing_zeros() as u8;
        let octets = SampleFormat::from_wire(format).unwrap().octets().unwrap() as u32;
        let frame = octets * space.channels.min;
        let open = Open {
            rate: space.rates.min,
            format,
            channels: space.channels.min as u8,
            buffer_octets: space.buffer.min * frame,
            directory: ClaimedRef(1),
            period_octets: space.period.min * frame,
        };
        assert!(rules.shape(&open).is_ok(), "{space:?}");
        opened += 1;
    }
    assert!(opened > 1000, "{opened}");
}

fn intervals(space: &Parameters) -> [Interval; 4] {
    [space.rates, space.channels, space.buffer, space.period]
}

fn random(seed: &mut Seed) -> Parameters {
    let mut interval = |typical: &[u32]| {
        let mut end = || match seed.below(8) {
            0 => 0,
            1 => u32::MAX,
            2 => seed.next_u64() as u32,
            _ => seed.pick(typical),
        };
        let (one, two) = (end(), end());
        match seed.below(20) {
            0 => Interval { min: one, max: two },
            _ => Interval {
                min: one.min(two),
                max: one.max(two),
            },
        }
    };
    let rates = interval(&[5512, 8000, 44_100, 48_000, 96_000, 192_000]);
    let channels = interval(&[1, 2, 6, 8]);
    let buffer = interval(&[2, 128, 1024, 4096, 16_384, 65_536]);
    let period = interval(&[1, 64, 480, 1024, 4096]);
    Parameters {
        formats: match seed.below(3) {
            0 => u64::MAX,
            1 => 1 << seed.below(64),
            _ => seed.next_u64(),
        },
        rates,
        channels,
        buffer,
        period,
    }
}

fn pick(seed: &mut Seed, within: Interval) -> Interval {
    exactly(within.min + seed.below(u64::from(within.max - within.min) + 1) as u32)
}

fn pick_format(seed: &mut Seed, formats: u64) -> u64 {
    let formats: Vec<_> = FormatSet(formats).iter().collect();
    1 << seed.pick(&formats).wire()
}

/// Linux knows the listed rates itself.
fn pick_rate(seed: &mut Seed, config: &StreamConfig, within: Interval) -> Interval {
    match &config.rates {
        Rates::Any { .. } => pick(seed, within),
        Rates::Listed(rates) => {
            let rates: Vec<_> = rates
                .iter()
                .filter(|rate| (within.min..=within.max).contains(*rate))
                .collect();
            exactly(*seed.pick(&rates))
        }
    }
}
