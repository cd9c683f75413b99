//! Which Debian mirrors this host uses, read from its apt configuration.
//!
//! The rig takes packages of fixed Debian releases whatever the host runs, from the mirrors the
//! host already trusts. Both formats are read: one-line `.list` and deb822 `.sources`.

use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const RELEASES: [&str; 14] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "rc-buggy",
    "experimental",
    "buster",
];

/// One place packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    uri: String,
    suite: String,
    options: Vec<String>,
}

/// The two mirrors the rig needs, as `deb [options] uri`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    archive: String,
    security: String,
}

impl Mirrors {
    /// Reads the host's configuration; `AUDIODOM_MIRROR` and `AUDIODOM_SECURITY_MIRROR` win.
    ///
    /// # Errors
    /// The host has no Debian mirror and none was named.
    pub fn of_host() -> Result<Self> {
        if let Ok(archive) = std::env::var("AUDIODOM_MIRROR") {
            let archive = archive.trim_end_matches('/').to_string();
            let security = std::env::var("AUDIODOM_SECURITY_MIRROR")
                .unwrap_or_else(|_| format!("{archive}-security"));
            let options = signed(&[]);
            return Ok(Self {
                archive: format!("{options} {archive}"),
                security: format!("{options} {security}"),
            });
        }
        let mut entries = Vec::new();
        for path in files(Path::new("/etc/apt")) {
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            if path.extension().is_some_and(|kind| kind == "sources") {
                entries.extend(deb822(&text));
            } else {
                entries.extend(one_line(&text));
            }
        }
        Self::among(&entries)
    }

    fn among(entries: &[Entry]) -> Result<Self> {
        let archive = entries
            .iter()
            .find(|entry| RELEASES.contains(&entry.suite.as_str()));
        let security = entries.iter().find(|entry| {
            let release = entry
                .suite
                .strip_suffix("-security")
                .or(entry.suite.strip_suffix("/updates"));
            release.is_some_and(|release| RELEASES.contains(&release))
        });
        let Some(archive) = archive else {
            bail!(
                "this host's apt knows no Debian mirror.\nThe rig takes its packages from Debian: name a mirror, \
                 for example AUDIODOM_MIRROR=http://MIRROR/debian"
            );
        };
        let base = |entry: &Entry| {
            format!(
                "{} {}",
                signed(&entry.options),
                entry.uri.trim_end_matches('/')
            )
        };
        let security = security.map_or_else(|| format!("{}-security", base(archive)), base);
        Ok(Self {
            archive: base(archive),
            security,
        })
    }

    /// The same lines for source packages.
    #[must_use]
    pub fn source_lines(&self, release: &str) -> String {
        let lines = self.lines(release, false);
        let lines = lines
            .lines()
            .map(|line| line.replacen("deb ", "deb-src ", 1));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    /// apt's source lines for a release, with or without its backports.
    #[must_use]
    pub fn lines(&self, release: &str, backports: bool) -> String {
        let mut lines = vec![
            format!("deb {} {release} main", self.archive),
            format!("deb {} {release}-updates main", self.archive),
            format!("deb {} {release}-security main", self.security),
        ];
        if backports {
            lines.push(format!("deb {} {release}-backports main", self.archive));
        }
        lines.join("\n") + "\n"
    }
}

/// Options of a source line: Debian's own keyring unless the host says otherwise.
fn signed(options: &[String]) -> String {
    let mut kept: Vec<String> = options
        .iter()
        .filter(|option| option.starts_with("trusted="))
        .cloned()
        .collect();
    if Path::new(KEYRING).exists() {
        kept.push(format!("signed-by={KEYRING}"));
    } else {
        kept.extend(
            options
                .iter()
                .filter(|option| option.starts_with("signed-by="))
                .cloned(),
        );
    }
    kept.push("arch=amd64".to_string());
    format!("[{}]", kept.join(" "))
}

fn files(apt: &Path) -> Vec<PathBuf> {
    let mut paths = vec![apt.join("sources.list")];
    let parts = fs::read_dir(apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten();
    let mut more: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    more.retain(|path| {
        path.extension()
            .is_some_and(|kind| kind == "list" || kind == "sources")
    });
    more.sort();
    paths.extend(more);
    paths
}

fn one_line(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(mut rest) = line.strip_prefix("deb ").map(str::trim) else {
            continue;
        };
        let mut options = Vec::new();
        if let Some((inner, after)) = rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
            options = inner.split_whitespace().map(str::to_string).collect();
            rest = after.trim();
        }
        let mut words = rest.split_whitespace();
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
            continue;
        };
        if words.any(|component| component == "main") {
            entries.push(Entry {
                uri: uri.to_string(),
                suite: suite.to_string(),
                options,
            });
        }
    }
    entries
}

fn deb822(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let plain: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for stanza in plain.split(|line| line.trim().is_empty()) {
        let words = |wanted: &str| {
            field(stanza, wanted)
                .split_whitespace()
                .map(str::to_string)
                .collect::<Vec<_>>()
        };
        let wanted = words("Types").contains(&"deb".to_string())
            && words("Components").contains(&"main".to_string())
            && !matches!(field(stanza, "Enabled").trim(), "no" | "false");
        if !wanted {
            continue;
        }
        let mut options = Vec::new();
        let keyring = field(stanza, "Signed-By");
        if keyring.trim().starts_with('/') {
            options.push(format!("signed-by={}", keyring.trim()));
        }
        if field(stanza, "Trusted").trim() == "yes" {
            options.push("trusted=yes".to_string());
        }
        for uri in words("URIs") {
            for suite in words("Suites") {
                entries.push(Entry {
                    uri: uri.clone(),
                    suite,
                    options: options.clone(),
                });
            }
        }
    }
    entries
}

/// A field's value, continuation lines included.
fn field(stanza: &[&str], wanted: &str) -> String {
    let mut value = String::new();
    let mut inside = false;
    for line in stanza {
        if line.starts_with([' ', '\t']) {
            if inside {
                value.push_str(line);
            }
        } else if let Some((name, rest)) = line.split_once(':') {
            inside = name.eq_ignore_ascii_case(wanted);
            if inside {
                value.push_str(rest);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "Types: deb deb-src\n# a comment\nURIs: http://one/debian/\nSuites: trixie\n trixie-updates\n\
        Components: main\nSigned-By: /keys/debian.gpg\n\nTypes: deb\nEnabled: no\nURIs: http://two/debian\n\
        Suites: bookworm\nComponents: main\n\nTypes: deb\nURIs: http://one/security\nSuites: trixie-security\n\
        Components: main contrib\n";
    const ONE_LINE: &str = "# old\ndeb-src http://a/debian bookworm main\ndeb [arch=amd64 trusted=yes] http://a/debian \
        bookworm main contrib\ndeb http://b/other nodistro main\n";

    #[test]
    fn enabled_deb822_stanzas_are_read_with_all_their_suites() {
        let suites: Vec<String> = deb822(DEB822)
            .into_iter()
            .map(|entry| entry.suite)
            .collect();
        assert_eq!(suites, ["trixie", "trixie-updates", "trixie-security"]);
    }

    #[test]
    fn one_line_entries_keep_their_options_and_drop_sources() {
        let entries = one_line(ONE_LINE);
        assert_eq!(entries.len(), 2);
        assert_eq!(
            (entries[0].uri.as_str(), entries[0].options.len()),
            ("http://a/debian", 2)
        );
    }

    #[test]
    fn any_release_of_the_host_gives_the_lines_of_the_release_wanted() {
        let lines = Mirrors::among(&deb822(DEB822))
            .unwrap()
            .lines("bookworm", true);
        assert!(lines.contains("http://one/debian bookworm main"), "{lines}");
        assert!(
            lines.contains("http://one/security bookworm-security main"),
            "{lines}"
        );
        assert!(
            lines.contains("http://one/debian bookworm-backports main"),
            "{lines}"
        );
    }

    #[test]
    fn source_packages_come_from_the_same_places() {
        let lines = Mirrors::among(&deb822(DEB822))
            .unwrap()
            .source_lines("bookworm");
        assert!(
            lines.lines().all(|line| line.starts_with("deb-src [")),
            "{lines}"
        );
        assert!(lines.contains("http://one/debian bookworm main"), "{lines}");
    }

    #[test]
    fn a_missing_security_mirror_is_named_after_the_archive() {
        let lines = Mirrors::among(&one_line(ONE_LINE))
            .unwrap()
            .lines("trixie", false);
        assert!(
            lines.contains("http://a/debian-security trixie-security main"),
            "{lines}"
        );
        assert!(lines.contains("trusted=yes"), "{lines}");
    }

    #[test]
    fn a_host_without_debian_is_told_so() {
        assert!(Mirrors::among(&one_line("deb http://b/other nodistro main\n")).is_err());
    }
}
