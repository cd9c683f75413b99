//! `audioctl`: see the library.

use audioctl::cli::{Cli, run};
use audioctl::store::Store;
use clap::Parser;
use std::io::stdout;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&Cli::parse(), Store::open, &mut stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audioctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}
