//! What a frame costs, beside the limit of the machine and beside other engines.
//!
//! `cargo bench -p ring-backend` prints one table and writes `target/bench/mixer.json`. Every
//! number is the least of many short passes, all engines and rows taking turns, so that a busy
//! machine troubles all alike. Where streams are summed there is a bound beside the limit, the same loop
//! with a gain of its own for every stream, and the ratio is to that; beside dither, the least that
//! noise adds to such a loop. Where a goal is missed, it is told what reading the streams costs
//! alone, and what the fewest operations cost that sum them, done in registers.
//!
//! Beside resamplers stands how far what they add to a tone stays below it, at worst up to 20 kHz,
//! or 18 where no more is asked for. Of peers the fastest is shown, and the fastest that is nearly
//! as clean, whatever its delay.
//!
//! Libraries that are not installed are named and left out; instructions are counted where valgrind
//! is installed, which has no AVX-VNNI: rows named so count AVX2's. With names behind `--` only rows
//! that contain one are measured, and nothing is written.

mod bound;
mod dithered;
mod fir;
mod job;
mod limit;
mod more;
mod peers;
mod pulse;
mod purity;
mod race;
mod spa;

use job::{Job, jobs};
use race::Race;
use ring_backend::mix::Tier;
use std::fmt;
use std::io::Write;
use std::process::Command;

/// A busy neighbour troubles a machine for seconds: all rows take turns in so many rounds.
const ROUNDS: usize = 8;

/// Resamplers that are worse by less are of one kind.
const LIKE_DB: f64 = 12.0;

/// What a sum of streams is held against beside the limit, all in one measurement.
const BOUNDS: [&str; 3] = ["own gains", "reading", "arithmetic"];

/// The tiers of one kind are told apart by a word behind the job's name.
fn word(tier: Tier) -> &'static str {
    match tier {
        Tier::Avx2(token) if token.without_vnni().is_some() => "_vnni",
        _ => "",
    }
}

/// Instructions of one call, by callgrind: what ten more calls cost.
fn instructions(job: &Job, tier: Tier) -> Option<f64> {
    let plain = if job.is_more() {
        counted(job, tier, "plain")?
    } else {
        0.0
    };
    Some(counted(job, tier, "whole")? - plain)
}

fn counted(job: &Job, tier: Tier, what: &str) -> Option<f64> {
    let count = |calls: usize| {
        let output = Command::new("valgrind")
            // Of a string instruction every octet would count, which no processor does.
            .env(
                "GLIBC_TUNABLES",
                "glibc.cpu.x86_rep_stosb_threshold=1000000",
            )
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([
                "--work",
                job.name,
                &tier.to_string(),
                &calls.to_string(),
                what,
            ])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, rest) = text.split_once("Collected : ")?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some((count(20)? - count(10)?) / 10.0)
}

/// One line of the table, in nanoseconds per unit.
struct Row {
    name: String,
    tier: String,
    ours: f64,
    limit: Option<f64>,
    /// Loops with gains of their own, reading alone, and arithmetic alone.
    bounds: [Option<f64>; 3],
    goal: Option<f64>,
    /// What others take, and how clean they are, in dB.
    peers: Vec<(String, f64, Option<f64>)>,
    /// How clean ours is.
    db: Option<f64>,
    instructions: Option<f64>,
}

impl Row {
    /// The engines of a row, for it to be made of when they have run.
    fn race(job: &Job, tier: Tier) -> (Race, Vec<Option<f64>>) {
        let mut engines = vec![("ours".to_owned(), job.ours(tier))];
        if job.is_more() {
            engines.push(("plain".to_owned(), job.plain(tier)));
        }
        engines.extend(job.limit(tier).map(|run| ("limit".to_owned(), run)));
        for (name, run) in BOUNDS.into_iter().zip(job.bounds(tier)) {
            engines.extend(run.map(|run| (name.to_owned(), run)));
        }
        let plain = job.plain_bound(tier);
        engines.extend(plain.map(|run| ("plain bound".to_owned(), run)));
        let mut purities = Vec::new();
        if tier != Tier::Scalar {
            for (name, run, db) in job.peers() {
                engines.push((name, run));
                purities.push(db);
            }
        }
        (Race::new(engines, job.is_more()), purities)
    }

    fn new(
        job: &Job,
        tier: Tier,
        (race, purities): (Race, Vec<Option<f64>>),
        instructions: Option<f64>,
    ) -> Self {
        let mut row = Self {
            name: format!("{}{}", job.name, word(tier)),
            tier: tier.to_string(),
            ours: 0.0,
            limit: None,
            bounds: [None; 3],
            goal: match tier {
                Tier::Scalar => None,
                _ => job.goal(tier != Tier::Sse2),
            },
            peers: Vec::new(),
            db: job.purity(tier),
            instructions: instructions.map(|count| count / job.units()),
        };
        let mut purities = purities.into_iter();
        for (engine, ns) in race.times() {
            let ns = ns / job.units();
            match engine.as_str() {
                "ours" => row.ours += ns,
                "plain" => row.ours -= ns,
                "limit" => row.limit = Some(ns),
                "plain bound" => row.bounds[0] = row.bounds[0].map(|bound| bound - ns),
                name => match BOUNDS.iter().position(|&bound| bound == name) {
                    Some(at) => row.bounds[at] = Some(ns),
                    None => row.peers.push((engine, ns, purities.next().flatten())),
                },
            }
        }
        row.peers.sort_by(|a, b| a.1.total_cmp(&b.1));
        row
    }

    /// Where a goal is missed, what shows whether this machine can reach it.
    fn missed(&self) -> Option<String> {
        let goal = self.goal.filter(|&goal| self.ours > goal)?;
        let bounds = BOUNDS.iter().zip(self.bounds);
        let least = bounds.chain([(&"limit", self.limit)]);
        let least: Vec<_> = least
            .filter_map(|(name, ns)| Some(format!("{name} {:.3}", ns?)))
            .collect();
        Some(format!(
            "{:<28} {} {:.3} ns, its goal being {goal}: {}",
            self.name,
            self.tier,
            self.ours,
            least.join(", ")
        ))
    }

    fn json(&self) -> String {
        let null = |number: Option<f64>| number.map_or("null".into(), |n| format!("{n:.4}"));
        let peers = self.peers.iter();
        let peers: Vec<_> = peers
            .map(|(peer, ns, _)| format!("\"{peer}\": {ns:.4}"))
            .collect();
        let purities: Vec<_> = (self.peers.iter())
            .map(|(peer, _, db)| format!("\"{peer}\": {}", null(*db)))
            .collect();
        format!(
            "{{\"name\": \"{}\", \"tier\": \"{}\", \"ours_ns\": {:.4}, \"limit_ns\": {}, \
             \"bound_ns\": {}, \"reading_ns\": {}, \"arithmetic_ns\": {}, \
             \"peers\": {{{}}}, \"instructions\": {}, \"db\": {}, \"peers_db\": {{{}}}}}",
            self.name,
            self.tier,
            self.ours,
            null(self.limit),
            null(self.bounds[0]),
            null(self.bounds[1]),
            null(self.bounds[2]),
            peers.join(", "),
            null(self.instructions),
            null(self.db),
            purities.join(", ")
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |number: Option<f64>, places: usize| {
            number.map_or("-".into(), |number| format!("{number:.places$}"))
        };
        write!(
            f,
            "{:<26} {:<7} {:>8.3} {:>8} {:>8} {:>6} {:>7} {:>4}",
            self.name,
            self.tier,
            self.ours,
            shown(self.limit, 3),
            shown(self.bounds[0], 3),
            shown(
                self.bounds[0].or(self.limit).map(|bound| self.ours / bound),
                2
            ),
            shown(self.instructions, 3),
            shown(self.db, 0)
        )?;
        let shown = |&(ref peer, ns, db): &(String, f64, Option<f64>)| {
            let db = db.map_or(String::new(), |db| format!(", {db:.0} dB"));
            format!("{peer} {ns:.2} ({:.1}x ours{db})", ns / self.ours)
        };
        // The fastest, and the fastest of those that are not far worse than ours.
        let like = |db: &&(String, f64, Option<f64>)| {
            db.2.zip(self.db).is_some_and(|(a, b)| a > b - LIKE_DB)
        };
        let fastest = self.peers.first();
        let alike = self
            .peers
            .iter()
            .find(like)
            .filter(|peer| Some(peer) != fastest.as_ref());
        for peer in fastest.into_iter().chain(alike) {
            write!(f, "  {}", shown(peer))?;
        }
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--work") {
        let job = jobs().into_iter().find(|job| job.name == arguments[at + 1]);
        let tier = Tier::every()
            .into_iter()
            .find(|tier| tier.to_string() == arguments[at + 2]);
        if let (Some(job), Some(tier)) = (job, tier) {
            let plain = arguments.get(at + 4).is_some_and(|what| what == "plain");
            let mut run = if plain {
                job.plain(tier)
            } else {
                job.ours(tier)
            };
            for _ in 0..arguments[at + 3].parse().unwrap_or(0) {
                run();
            }
        }
        return Ok(());
    }
    let mut rows = Vec::new();
    // Names to look at alone, as `cargo bench -p ring-backend -- mix_s16`.
    let wanted: Vec<&String> = arguments
        .iter()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let asked =
        |job: &Job| wanted.is_empty() || wanted.iter().any(|name| job.name.contains(name.as_str()));
    let jobs: Vec<Job> = jobs().into_iter().filter(asked).collect();
    let (mut bounds, mut missed) = (Vec::new(), Vec::new());
    for job in &jobs {
        for wide in [false, true] {
            if let (Some(count), Some(ns)) = (job.multiplies(wide), bound::multiply_ns(wide)) {
                let tier = if wide { "avx2" } else { "sse2" };
                let least = count as f64 * ns;
                bounds.push(format!(
                    "{:<28} {tier} {count:>3} multiplies a frame, {ns:.3} ns each: {least:>6.2} ns",
                    job.name
                ));
            }
        }
    }
    let tiers = |job: &Job| {
        let tiers = Tier::every().into_iter();
        let told: Vec<_> = tiers.filter(|&tier| job.tells(word(tier))).collect();
        told
    };
    let mut races: Vec<_> = jobs
        .iter()
        .flat_map(|job| tiers(job).into_iter().map(move |tier| (job, tier)))
        .map(|(job, tier)| (job, tier, Row::race(job, tier), None))
        .collect();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for (_, _, (race, _), _) in &mut races {
            race.run();
        }
        for (job, tier, _, count) in races.iter_mut().skip(round).step_by(ROUNDS) {
            *count = instructions(job, *tier);
        }
    }
    println!(
        "{:<26} {:<7} {:>8} {:>8} {:>8} {:>6} {:>7} {:>4}  best peers (ns per frame and stream)",
        "", "tier", "ours ns", "limit ns", "bound ns", "ratio", "instr", "dB"
    );
    for (job, tier, race, count) in races {
        let row = Row::new(job, tier, race, count);
        println!("{row}");
        missed.extend(row.missed());
        rows.push(row.json());
    }
    for bound in bounds {
        println!("not below: {bound}");
    }
    for missed in missed {
        println!("missed: {missed}");
    }
    for absent in peers::absent()
        .into_iter()
        .chain(pulse::absent())
        .chain(spa::absent())
    {
        println!("not installed, left out: {absent}");
    }
    if !wanted.is_empty() {
        return Ok(());
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");
    std::fs::create_dir_all(folder)?;
    let mut file = std::fs::File::create(format!("{folder}/mixer.json"))?;
    writeln!(file, "[\n  {}\n]", rows.join(",\n  "))
}
