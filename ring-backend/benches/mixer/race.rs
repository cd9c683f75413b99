//! Engines that take turns.

use crate::job::Run;
use std::time::Instant;

/// Passes of each engine in a round, more where one is taken off another, and how long one shall
/// last.
const PASSES: usize = 30;
const PASSES_MORE: usize = 100;
const PASS_NS: f64 = 150_000.0;

/// Engines, and the least time that each of them took.
pub struct Race {
    runners: Vec<Runner>,
    passes: usize,
}

struct Runner {
    name: String,
    run: Run,
    /// Calls of one pass.
    calls: usize,
    least: f64,
}

impl Race {
    /// At the start; with `more` passes or not.
    pub fn new(engines: Vec<(String, Run)>, more: bool) -> Self {
        let runner = |(name, mut run): (String, Run)| {
            run();
            let start = Instant::now();
            run();
            let once = start.elapsed().as_nanos().max(50) as f64;
            Runner {
                name,
                run,
                calls: (PASS_NS / once).ceil() as usize,
                least: f64::INFINITY,
            }
        };
        Self {
            runners: engines.into_iter().map(runner).collect(),
            passes: if more { PASSES_MORE } else { PASSES },
        }
    }

    /// Runs a round.
    pub fn run(&mut self) {
        for _ in 0..self.passes {
            for runner in &mut self.runners {
                let start = Instant::now();
                for _ in 0..runner.calls {
                    (runner.run)();
                }
                let ns = start.elapsed().as_nanos() as f64 / runner.calls as f64;
                runner.least = runner.least.min(ns);
            }
        }
    }

    /// The least time of one call of each engine, in nanoseconds.
    pub fn times(self) -> impl Iterator<Item = (String, f64)> {
        let runners = self.runners.into_iter();
        runners.map(|runner| (runner.name, runner.least))
    }
}
