//! `cargo demo`: boots the whole machine, lets two guests play, and ends with sound.

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tests::judge::recording::Recording;
use tests::judge::{plot, tone};
use tests::report::{self, Figures};
use tests::rig::{self, Run};
use tests::signal::Tone;

/// Two guests play through the audio domain under real Xen; the recording and what it cost end up
/// in target/demo.
#[derive(Parser)]
#[command(name = "cargo demo")]
struct Cli {
    /// Shows everything that Xen and the kernels say.
    #[arg(long, short)]
    verbose: bool,
    /// Leaves out the second run, in the host's real time.
    #[arg(long)]
    no_realtime: bool,
}

/// The first guest: 48 kHz, stereo, 16 bits.
const LOW: Tone = Tone {
    rate: 48_000,
    channels: 2,
    frequency: 440.0,
    amplitude: 0.25,
    seconds: 32.0,
};
/// The second: 44.1 kHz, mono, 32 bits; it joins 3 s later.
const HIGH: Tone = Tone {
    rate: 44_100,
    channels: 1,
    frequency: 1_703.0,
    amplitude: 0.125,
    seconds: 24.0,
};

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    rig::heed_interrupts()?;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/demo");
    fs::create_dir_all(&dir).context("making target/demo")?;
    let files = [dir.join("low.wav"), dir.join("high.wav")];
    LOW.write(&files[0], 16)?;
    HIGH.write(&files[1], 32)?;

    println!(
        "Booting Xen, dom0, the audio domain and two guests. Time is counted in instructions."
    );
    let counted = Scene::play(&cli, &files, &dir.join("mix.wav"), false)?;
    let mut good = counted.verdict();
    plot::draw(
        &counted.recording,
        "What the card's DAC got: two guests",
        &dir.join("mix.png"),
    )?;
    let image = rig::image()?;
    let figures = Figures::read(&counted.said, fs::metadata(&image)?.len())?;
    good.extend(figures.faults());

    let realtime = if cli.no_realtime {
        json!("left out")
    } else {
        println!("Once more in the host's real time, where a stall of the host may be heard.");
        let scene = Scene::play(&cli, &files, &dir.join("mix-realtime.wav"), true)?;
        scene.json()
    };
    let report = json!({
        "verdict": if good.is_empty() { "both guests were heard, correctly" } else { "not as it should be" },
        "faults": good,
        "heard": counted.json(),
        "figures": figures_with_snr(&figures, &counted),
        "linux_driver_domain": report::linux_driver_domain(),
        "realtime": realtime,
    });
    fs::write(dir.join("report.json"), format!("{report:#}\n"))?;
    println!("\n{}\n{figures}", counted.summary());
    println!(
        "Linux driver domain, for comparison: 92 MiB at least, 14.1 s from xl create to card ready."
    );
    println!("\ntarget/demo/mix.wav  target/demo/mix.png  target/demo/report.json");
    for fault in &good {
        println!("FAULT: {fault}");
    }
    println!("{}", report["verdict"].as_str().unwrap_or_default());
    Ok(if good.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The figures, with the SNR of each guest's tone among them.
fn figures_with_snr(figures: &Figures, scene: &Scene) -> serde_json::Value {
    let mut object = figures.json();
    if let Some(heard) = &scene.heard {
        object["tone_snr_db"] = json!({
            "value": { "low": heard.tones[0].snr_db, "high": heard.tones[1].snr_db },
            "how": "least-squares fit of both tones to the recording; noise is all that is left",
        });
    }
    object
}

/// One run of the scene and what was heard.
struct Scene {
    said: Vec<String>,
    recording: Recording,
    heard: Option<tone::Together>,
}

impl Scene {
    fn play(cli: &Cli, files: &[PathBuf; 2], wav: &Path, realtime: bool) -> Result<Self> {
        let mut run = Run::new(include_str!("../../scripts/demo.sh"))
            .guest_file(&files[0], "/material/low.wav")
            .guest_file(&files[1], "/material/high.wav")
            .wav(wav)
            .timeout(Duration::from_secs(900))
            .echo(cli.verbose);
        if realtime {
            run = run.realtime();
        }
        let outcome = run.go()?;
        anyhow::ensure!(outcome.status == 0, "the run failed: {outcome}");
        let recording = Recording::read(&outcome.wav)?;
        let expected = [LOW, HIGH].map(|tone| tone::Expected {
            frequency: tone.frequency,
            amplitude: tone.amplitude,
        });
        let heard = tone::judge(&recording.channel(0), &expected);
        Ok(Self {
            said: outcome.said().map(str::to_string).collect(),
            recording,
            heard,
        })
    }

    /// What is wrong with the sound; nothing if it is as it should be.
    fn verdict(&self) -> Vec<String> {
        let Some(heard) = &self.heard else {
            return vec!["a guest is not heard".to_string()];
        };
        let mut faults = Vec::new();
        if heard.seconds() < 20.0 {
            faults.push(format!("together for {:.1} s only", heard.seconds()));
        }
        if heard.crest >= 8.0 {
            faults.push(format!("a click at frame {}", heard.worst_at));
        }
        for ((tone, verdict), name) in [LOW, HIGH].iter().zip(&heard.tones).zip(["low", "high"]) {
            let wanted = 20.0 * tone.amplitude.log10();
            if verdict.pieces != 1 {
                faults.push(format!("{name} is heard in {} pieces", verdict.pieces));
            }
            if (verdict.level_db - wanted).abs() > 0.1 {
                faults.push(format!(
                    "{name} is at {:.2} dBFS, not {wanted:.2}",
                    verdict.level_db
                ));
            }
            if verdict.snr_db < 70.0 {
                faults.push(format!("{name} has an SNR of {:.1} dB", verdict.snr_db));
            }
        }
        faults
    }

    fn json(&self) -> serde_json::Value {
        let Some(heard) = &self.heard else {
            return json!({ "faults": self.verdict() });
        };
        let tone = |index: usize, of: &Tone| {
            let verdict = &heard.tones[index];
            json!({
                "frequency_hz": of.frequency, "rate": of.rate, "channels": of.channels,
                "level_dbfs": verdict.level_db, "tone_snr_db": verdict.snr_db, "pieces": verdict.pieces,
            })
        };
        json!({
            "seconds_together": heard.seconds(),
            "crest_of_what_is_left": heard.crest,
            "guests": { "low": tone(0, &LOW), "high": tone(1, &HIGH) },
            "faults": self.verdict(),
            "how": "least-squares fit of both tones over all frames in which both sound; noise is all that is left",
        })
    }

    fn summary(&self) -> String {
        let Some(heard) = &self.heard else {
            return "A guest is not heard.".to_string();
        };
        let line = |name: &str, of: &Tone, verdict: &tone::Verdict| {
            format!(
                "  {name:5} {:6.0} Hz  {} Hz x{}   {:7.2} dBFS   SNR {:5.1} dB",
                of.frequency, of.rate, of.channels, verdict.level_db, verdict.snr_db
            )
        };
        format!(
            "Heard together for {:.1} s:\n{}\n{}",
            heard.seconds(),
            line("low", &LOW, &heard.tones[0]),
            line("high", &HIGH, &heard.tones[1]),
        )
    }
}
