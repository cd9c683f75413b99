//! Prints the paths that the driver chooses for each codec of a file, one line of JSON each.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use tests::codec_paths;
use tests::hda_sim::corpus;

/// Prints which paths the driver chooses for codecs.
#[derive(Parser)]
struct Arguments {
    /// Codecs, one line of JSON each; compressed if the name ends in `.gz`.
    codecs: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in corpus::lines(&arguments.codecs)? {
        let line = line?;
        let id = line["id"].as_u64().unwrap_or(0);
        let answer = codec_paths::line(id, &corpus::codec(&line));
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(())
}
