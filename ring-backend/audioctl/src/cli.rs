//! The command line.

use crate::policy::{self, CAPTURE, DEFAULT, MASTER};
use crate::reattach::{self, Lost};
use crate::session::Session;
use crate::store::Store;
use crate::{agent, route, status, top, volume};
use anyhow::{Context, Result, bail};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::{Value, json};
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

/// Says what guests of the audio domain may do, and shows what they do
///
/// It talks to xenstore alone, and brings guests back after the audio domain was restarted.
///
/// What is said of a guest is kept by its name as long as dom0 runs, and counts at once, after the
/// guest's restart and after the audio domain's. Keep `audioctl agent` running so that guests that
/// come later are known before they play.
#[derive(Debug, Parser)]
#[command(name = "audioctl", version, arg_required_else_help = true)]
pub struct Cli {
    /// The audio domain's name
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        default_value = "audiodom",
        env = "AUDIODOM"
    )]
    audio_domain: String,
    /// Prints JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Shows who plays and records what, in which format, how late and how loud, and who may
    ///
    /// XRUNS are gaps that were heard since the guest's device connected, LATE the frames that came
    /// after their place was mixed and were left out. A sound server that takes back what it wrote
    /// may have some without a gap: what it wrote there before was heard.
    Status,
    /// Shows the same with levels that move, until it is interrupted
    Top {
        /// Ends after this many rounds of half a second
        #[arg(long, value_name = "N")]
        rounds: Option<u32>,
    },
    /// Sets how loud a guest is, or the card
    Volume {
        #[command(flatten)]
        of: Whose,
        /// -6dB, +3dB or 50%; at most +6dB for a guest, 0dB for the card
        #[arg(allow_hyphen_values = true)]
        volume: String,
    },
    /// Silences a guest, or the card; its volume stays what it is
    Mute(Whose),
    /// Lets a muted guest be heard again
    Unmute(Whose),
    /// Lets a guest hear the microphone, or not; at first no guest may, and it records zeros
    Mic {
        #[command(flatten)]
        of: Whose,
        /// What it may
        right: Right,
    },
    /// Lets a guest be heard on one of the card's outputs alone, or says which output sounds at all,
    /// or which input is recorded from
    ///
    /// All outputs that sound play one mix: a guest that is routed to headphones is heard while they
    /// are what sounds, and never by the speakers. Which outputs and inputs the card has is in
    /// `audioctl status`.
    Route {
        /// The guest's name or number; @default for all that nothing was said of, @master for what
        /// sounds at all, @capture for what is recorded from
        guest: String,
        /// all, speaker, headphone, line-out or digital; for @master auto as well, by what is plugged
        /// in; for @capture auto, internal-mic, front-mic, rear-mic, dock-mic, mic, line-in, cd or aux
        terminal: String,
    },
    /// Forgets all that was said of a guest
    Forget(Whose),
    /// Gives guests of an audio domain that was restarted their devices back, without their restart
    ///
    /// Restart it with `xl reboot` or `xl shutdown`: guests that play are made to close first. After
    /// `xl destroy` or a crash restart those that played instead, as their kernel's driver goes on
    /// using memory that it freed.
    Reattach {
        /// One guest only
        guest: Option<String>,
    },
    /// Stays, and tells the audio domain what was said of guests whenever one of them comes or it
    /// was restarted itself
    ///
    /// It also lets the card go for an audio domain that ended, for which libxl waits ten seconds
    /// otherwise.
    Agent {
        /// Reattaches guests when the audio domain was restarted
        #[arg(long)]
        reattach: bool,
    },
    /// Prints a script that completes this command's words in a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Prints the manual page
    Man,
}

/// Whose policy.
#[derive(Debug, clap::Args)]
struct Whose {
    /// The guest's name as `xl list` shows it, or its number; @default for all that nothing was
    /// said of, @master for the card itself, @capture for its input
    guest: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Right {
    Allow,
    Deny,
}

/// Runs one command; `open` connects to xenstored.
///
/// # Errors
/// What stood in the way, with the guest that it is about.
pub fn run(cli: &Cli, open: impl FnOnce() -> Result<Store>, out: &mut dyn Write) -> Result<()> {
    match &cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "audioctl", out);
            return Ok(());
        }
        Command::Man => return manual(out),
        _ => {}
    }
    let mut session = Session::new(open()?, &cli.audio_domain)?;
    match &cli.command {
        Command::Status => {
            session.project()?;
            if session.audio().is_some() {
                // Fresh numbers, and levels.
                status::ask(&mut session)?;
                sleep(Duration::from_millis(600));
            }
            let report = status::look(&mut session)?;
            if cli.json {
                return print_json(out, &report.json());
            }
            write!(out, "{}", report.text(status::level))?;
            Ok(())
        }
        Command::Top { rounds } => {
            session.project()?;
            top::run(&mut session, *rounds, out)
        }
        Command::Volume { of, .. } | Command::Mute(of) | Command::Unmute(of)
            if of.guest == CAPTURE =>
        {
            bail!("{CAPTURE}: has a route alone")
        }
        Command::Volume { of, volume } => {
            let value = volume::parse(volume).context(of.guest.clone())?;
            if of.guest == MASTER && value > 0 {
                bail!("{MASTER}: {volume}: the card cannot be louder than 0dB");
            }
            set(
                &mut session,
                cli,
                &of.guest,
                &[("volume", &value.to_string())],
                out,
            )
        }
        Command::Mute(of) => set(&mut session, cli, &of.guest, &[("mute", "1")], out),
        Command::Unmute(of) => set(&mut session, cli, &of.guest, &[("mute", "0")], out),
        Command::Mic { of, .. } if [MASTER, CAPTURE].contains(&of.guest.as_str()) => {
            bail!(
                "{}: the microphone is allowed to guests, not to the card",
                of.guest
            )
        }
        Command::Mic { of, right } => {
            let word = match right {
                Right::Allow => "allow",
                Right::Deny => "deny",
            };
            set(&mut session, cli, &of.guest, &[("mic", word)], out)
        }
        Command::Route { guest, terminal } => {
            let leaf = route::node(&mut session, guest, terminal)?;
            set(&mut session, cli, guest, &[(leaf, terminal)], out)
        }
        Command::Forget(of) => {
            let name = session.policy_name(&of.guest)?;
            policy::forget(&mut session.store, &name).context(name.clone())?;
            if let Some(audio) = session.audio() {
                policy::forget_card(&mut session.store, &audio, &name)?;
            }
            set(&mut session, cli, &of.guest, &[], out)
        }
        Command::Reattach { guest } => bring_back(&mut session, cli, guest.as_deref(), out),
        Command::Agent { reattach } => agent::run(&mut session, *reattach, out),
        Command::Completions { .. } | Command::Man => Ok(()),
    }
}

/// Remembers nodes of a guest's policy, gives everybody's to the audio domain, and says what
/// counts now.
fn set(
    session: &mut Session,
    cli: &Cli,
    guest: &str,
    nodes: &[(&str, &str)],
    out: &mut dyn Write,
) -> Result<()> {
    let name = session.policy_name(guest)?;
    for (leaf, value) in nodes {
        policy::remember(&mut session.store, &name, leaf, value).context(name.clone())?;
    }
    session.project().context(name.clone())?;
    let card = [MASTER, CAPTURE].contains(&name.as_str());
    let mut counts = policy::remembered(&mut session.store, &name)?;
    if !card {
        counts = counts.or(&policy::remembered(&mut session.store, DEFAULT)?);
    }
    let runs = card || name == DEFAULT || session.guest(&name).is_some();
    let when = match (session.audio(), runs) {
        (None, _) => Some(format!("once {} runs", session.name)),
        (_, false) => Some("once it runs".to_owned()),
        _ => None,
    };
    if cli.json {
        let object = json!({ "guest": name, "policy": counts.json(), "in_force": when.is_none() });
        return print_json(out, &object);
    }
    let when = when.map(|when| format!(" ({when})")).unwrap_or_default();
    let text = match name.as_str() {
        MASTER => counts.loudness(),
        CAPTURE => counts.recorded(),
        _ => counts.text(),
    };
    writeln!(out, "{name}: {text}{when}")?;
    Ok(())
}

fn bring_back(
    session: &mut Session,
    cli: &Cli,
    guest: Option<&str>,
    out: &mut dyn Write,
) -> Result<()> {
    session.audio_running()?;
    let mut lost = reattach::lost(session)?;
    if let Some(guest) = guest {
        let Some(id) = session.guest(guest).map(|guest| guest.id) else {
            bail!("{guest}: does not run");
        };
        lost.retain(|lost: &Lost| lost.guest.id == id);
        if lost.is_empty() {
            bail!("{guest}: has no device whose audio domain is gone");
        }
    }
    let outcomes = reattach::reattach(session, lost)?;
    if cli.json {
        let devices = outcomes.iter().map(|outcome| {
            json!({
                "guest": outcome.lost.guest.name,
                "device": outcome.lost.device,
                "answered_ms": outcome.answered.as_ref().map(|after| after.as_millis() as u64).ok(),
                "error": outcome.answered.as_ref().err(),
            })
        });
        print_json(out, &Value::from(devices.collect::<Vec<_>>()))?;
    } else {
        for outcome in &outcomes {
            writeln!(out, "{outcome}")?;
        }
    }
    match outcomes.iter().find(|outcome| outcome.answered.is_err()) {
        None => Ok(()),
        Some(outcome) => bail!(
            "{}: is not back; where its driver does not answer, it may be paused, or have no driver",
            outcome.lost.guest.name
        ),
    }
}

fn print_json(out: &mut dyn Write, value: &Value) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// The page of the command, and what its commands say of themselves.
fn manual(out: &mut dyn Write) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    let page = clap_mangen::Man::new(command.clone());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let words = sub.get_positionals().map(|word| {
            let name = word.get_id().as_str().to_uppercase();
            if word.is_required_set() {
                name
            } else {
                format!("[{name}]")
            }
        });
        let options = sub
            .get_opts()
            .chain(sub.get_arguments())
            .filter_map(|option| {
                let own = !option.is_global_set() && option.get_id() != "help";
                option
                    .get_long()
                    .filter(|_| own)
                    .map(|long| format!("[\\-\\-{long}]"))
            });
        let mut words: Vec<String> = words.chain(options).collect();
        words.dedup();
        let about = sub.get_long_about().or(sub.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        let about = about.replace("\n\n", ".\n").replace('`', "\"");
        writeln!(
            out,
            ".TP\n\\fB{}\\fR {}\n{about}.",
            sub.get_name(),
            words.join(" ")
        )?;
    }
    writeln!(
        out,
        ".SH FILES\n.TP\n/local/audiodom\nin xenstore: what is remembered; no guest can read it.\n\
         .TP\n/run/xenstored/socket, /dev/xen/xenbus\nthe ways to xenstored; \
         \\fBXENSTORED_PATH\\fR names another socket."
    )?;
    Ok(())
}
