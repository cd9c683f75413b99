//! ALSA's own `latency` in a guest, at its own settings but for how long a try lasts.
//!
//! It plays what it records, and begins anew with a longer buffer whenever one of both ran dry, until
//! a try went well to its end, after five seconds here. It asks ALSA again and again, without sleeping
//! unless told to, and at the highest real-time priority if it may.

use super::matrix::{Finding, Verdict};
use super::{Setup, go, record, said};
use crate::rig::{Extra, Outcome};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Seconds that the microphone hears noise.
const HEARD: usize = 120;
/// The longest buffer that it may need: the machine's card takes sound for 30 ms at once.
const MOST_MS: f64 = 60.0;
/// The real-time priority that it gives itself.
const OWN: u64 = 99;

/// It ends well, sleeping between its looks and not. Where it does not let the interrupt's thread of
/// Linux' driver run, this is shown.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let path = dir.join("heard.raw");
    record::microphone(&path, 18, HEARD)?;
    let run = setup.run(include_str!("../../scripts/latency.sh"));
    let (outcome, _) = go(run.extra(Extra::Latency).microphone(path), &[])?;
    Ok(vec![
        Finding::of(
            "ALSA's latency -p, not as root, 5 s a try",
            ended(&outcome, "poll"),
        ),
        Finding::of(
            "ALSA's latency, not as root, 5 s a try",
            ended(&outcome, "user"),
        ),
        starving(&outcome),
    ])
}

/// What it said in one of the runs.
fn lines<'o>(outcome: &'o Outcome, run: &str) -> Vec<&'o str> {
    let start = format!("{run} says: ");
    let lines = outcome.log("latency").lines().map(str::trim);
    lines.filter_map(|line| line.strip_prefix(&start)).collect()
}

/// With which latency it ended, after how many tries.
fn ended(outcome: &Outcome, run: &str) -> Result<String> {
    let lines = lines(outcome, run);
    let tries: Vec<f64> = lines
        .iter()
        .filter(|line| line.starts_with("Trying"))
        .filter_map(|line| line.split(", ").nth(2)?.split("ms").next()?.parse().ok())
        .collect();
    let count = tries.len();
    let last = tries.last().context("it tried nothing")?;
    let all = lines.join("; ");
    ensure!(
        lines.contains(&"Success"),
        "{count} tries up to {last:.1} ms, none went well: {all:.200}"
    );
    ensure!(*last <= MOST_MS, "only {last:.1} ms went well");
    let start = format!("TOOK {run} ");
    let took = said(outcome, &start).next().context("no time was taken")?;
    let first = tries.first().unwrap_or(last);
    let text = format!("{last:.1} ms went well, try {count} from {first:.1} ms on");
    Ok(format!("{text}; all took {took}"))
}

/// How an interrupt's thread fares.
#[derive(Clone, Copy, Debug)]
struct Thread {
    interrupt: u64,
    priority: u64,
    /// How often it was switched to.
    switched: u64,
    /// How often the interrupt came.
    came: u64,
}

/// As root it runs before the threads that take the card's positions from the audio domain, and does
/// not sleep: where these hardly run though their interrupts come, it is no test of ours.
fn starving(outcome: &Outcome) -> Finding {
    let feature = "ALSA's latency as it comes, as root";
    if lines(outcome, "root").contains(&"Success") {
        return Finding::of(feature, ended(outcome, "root"));
    }
    match starved(outcome) {
        Ok(detail) => Finding {
            feature: feature.to_string(),
            verdict: Verdict::Cannot,
            detail,
        },
        wrong => Finding::of(feature, wrong),
    }
}

/// What shows that they hardly ran.
fn starved(outcome: &Outcome) -> Result<String> {
    let (first, then) = (threads(outcome, "first")?, threads(outcome, "then")?);
    let [mut came, mut ran] = [0, 0];
    for (first, then) in first.iter().zip(&then) {
        ensure!(
            first.interrupt == then.interrupt,
            "{first:?}, then {then:?}"
        );
        ensure!(then.priority < OWN, "{then:?}");
        came += then.came - first.came;
        ran += then.switched - first.switched;
    }
    ensure!(
        came > 10 * ran,
        "{came} times a position came, and the driver's threads ran {ran} times"
    );
    let priority = then.map(|thread| thread.priority);
    Ok(format!(
        "it spins with priority {OWN} on the guest's only processor: {came} times a position came, and the threads of \
         Linux' driver that take it, with priorities {} and {}, ran {ran} times",
        priority[0], priority[1]
    ))
}

/// The threads of both streams at that moment.
fn threads(outcome: &Outcome, when: &str) -> Result<[Thread; 2]> {
    let start = format!("WATCH {when} ");
    let mut lines = outcome.log("latency").lines().map(str::trim);
    let line = lines.find_map(|line| line.strip_prefix(&start));
    let line = line.with_context(|| format!("its threads were not seen {when}"))?;
    let words = line.split_whitespace().map(str::parse);
    let words = words.collect::<Result<Vec<u64>, _>>()?;
    let (threads, rest) = words.as_chunks::<4>();
    let thread = |&[interrupt, priority, switched, came]: &[u64; 4]| Thread {
        interrupt,
        priority,
        switched,
        came,
    };
    match threads {
        [one, other] if rest.is_empty() => Ok([thread(one), thread(other)]),
        _ => bail!("{line}"),
    }
}
