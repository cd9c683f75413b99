//! What a frame costs, beside the limit of the machine and beside other engines.
//!
//! `cargo bench -p ring-backend` prints one table and writes `target/bench/mixer.json`. Every
//! number is the least of many short passes, all engines taking turns, so that a busy machine
//! troubles all alike. Libraries that are not installed are named and left out; instructions are
//! counted where valgrind is installed.

mod job;
mod limit;
mod peers;

use job::{Job, Run, jobs};
use ring_backend::mix::Tier;
use std::io::Write;
use std::process::Command;
use std::time::Instant;

/// Passes of each engine, and how long one shall last.
const PASSES: usize = 60;
const PASS_NS: f64 = 150_000.0;

fn name(tier: Tier) -> &'static str {
    match tier {
        Tier::Scalar => "scalar",
        Tier::Sse2 => "sse2",
        Tier::Avx2(_) => "avx2",
    }
}

/// The least time of one call of each engine, in nanoseconds.
fn least(engines: &mut [(String, Run)]) -> Vec<f64> {
    let calls: Vec<usize> = engines
        .iter_mut()
        .map(|(_, run)| {
            run();
            let start = Instant::now();
            run();
            let once = start.elapsed().as_nanos().max(50) as f64;
            (PASS_NS / once).ceil() as usize
        })
        .collect();
    let mut best = vec![f64::INFINITY; engines.len()];
    for _ in 0..PASSES {
        for (((_, run), &calls), best) in engines.iter_mut().zip(&calls).zip(&mut best) {
            let start = Instant::now();
            for _ in 0..calls {
                run();
            }
            *best = best.min(start.elapsed().as_nanos() as f64 / calls as f64);
        }
    }
    best
}

/// Instructions of one call, by callgrind: what ten more calls cost.
fn instructions(job: &Job, tier: Tier) -> Option<f64> {
    let count = |calls: usize| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--work", job.name, name(tier), &calls.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, rest) = text.split_once("Collected : ")?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some((count(20)? - count(10)?) / 10.0)
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--work") {
        let job = jobs().into_iter().find(|job| job.name == arguments[at + 1]);
        let tier = Tier::every()
            .into_iter()
            .find(|&tier| name(tier) == arguments[at + 2]);
        if let (Some(job), Some(tier)) = (job, tier) {
            let mut run = job.ours(tier);
            for _ in 0..arguments[at + 3].parse().unwrap_or(0) {
                run();
            }
        }
        return Ok(());
    }
    let mut rows = Vec::new();
    println!(
        "{:<26} {:<7} {:>9} {:>9} {:>8}  peers (ns per frame and stream)",
        "", "tier", "ours ns", "limit ns", "instr"
    );
    // Names to look at alone, as `cargo bench -p ring-backend -- mix_s16`.
    let wanted: Vec<&String> = arguments
        .iter()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let asked =
        |job: &Job| wanted.is_empty() || wanted.iter().any(|name| job.name.contains(name.as_str()));
    for job in jobs().into_iter().filter(asked) {
        for tier in Tier::every() {
            let mut engines = vec![("ours".to_owned(), job.ours(tier))];
            if let Some(run) = job.limit(tier) {
                engines.push(("limit".to_owned(), run));
            }
            if tier != Tier::Scalar {
                engines.extend(job.peers());
            }
            let times = least(&mut engines);
            let per: Vec<f64> = times.iter().map(|ns| ns / job.units()).collect();
            let counted = instructions(&job, tier).map(|count| count / job.units());
            let mut limit = None;
            let mut peers = Vec::new();
            for ((engine, _), ns) in engines.iter().zip(&per).skip(1) {
                if engine == "limit" {
                    limit = Some(*ns);
                } else {
                    peers.push((engine.clone(), *ns));
                }
            }
            let shown = |number: Option<f64>| number.map_or("-".into(), |n| format!("{n:.3}"));
            let listed: Vec<String> = peers
                .iter()
                .map(|(peer, ns)| format!("{peer} {ns:.2} ({:.2}x)", ns / per[0]))
                .collect();
            println!(
                "{:<26} {:<7} {:>9.3} {:>9} {:>8}  {}",
                job.name,
                name(tier),
                per[0],
                shown(limit),
                shown(counted),
                listed.join(", ")
            );
            let null = |number: Option<f64>| number.map_or("null".into(), |n| format!("{n:.4}"));
            let peers: Vec<String> = peers
                .iter()
                .map(|(peer, ns)| format!("\"{peer}\": {ns:.4}"))
                .collect();
            rows.push(format!(
                "{{\"name\": \"{}\", \"tier\": \"{}\", \"ours_ns\": {:.4}, \"limit_ns\": {}, \
                 \"peers\": {{{}}}, \"instructions\": {}}}",
                job.name,
                name(tier),
                per[0],
                null(limit),
                peers.join(", "),
                null(counted)
            ));
        }
    }
    for absent in peers::absent() {
        println!("not installed, left out: {absent}");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");
    std::fs::create_dir_all(folder)?;
    let mut file = std::fs::File::create(format!("{folder}/mixer.json"))?;
    writeln!(file, "[\n  {}\n]", rows.join(",\n  "))
}
