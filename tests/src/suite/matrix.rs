//! What was proven of what, on which machine: `target/rig/matrix.json` and a table of it.

use super::Setup;
use crate::rig;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;

/// What came of one feature.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was tried.
    pub feature: String,
    /// It works as it should, or what does not.
    pub verdict: Verdict,
    /// Figures, or the reason.
    pub detail: String,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Pass,
    /// Not as it should.
    Fail,
    /// It cannot be tried here; the detail says why.
    Cannot,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Cannot => "cannot",
        }
    }
}

impl Finding {
    /// A feature that works if there is nothing to complain about.
    #[must_use]
    pub fn of(feature: impl Into<String>, outcome: Result<String>) -> Self {
        let (verdict, detail) = match outcome {
            Ok(detail) => (Verdict::Pass, detail),
            Err(error) => {
                // The first line says it; what follows are logs.
                let text = format!("{error:#}");
                let line = text.lines().next().unwrap_or_default();
                (Verdict::Fail, line.to_string())
            }
        };
        Self {
            feature: feature.into(),
            verdict,
            detail,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, detail) = (self.verdict.name(), &self.detail);
        write!(out, "{verdict:6} {}: {detail}", self.feature)
    }
}

/// Adds a check's findings to the matrix, in the place of all that it found on that setup before: a
/// feature that is not tried any more has no result.
///
/// # Errors
/// The file cannot be read or written.
pub fn record(check: &str, setup: Setup, findings: &[Finding]) -> Result<()> {
    let path = path()?;
    let lock = File::create(path.with_extension("lock"))?;
    lock.lock()?;
    let mut rows = read(&path)?;
    let setup = setup.names().map(str::to_string);
    rows.retain(|[_, on @ ..], row| row.check != check || *on != setup);
    for finding in findings {
        let [guest, kernel, xen] = setup.clone();
        let row = Row {
            check: check.to_string(),
            result: finding.verdict.name().to_string(),
            detail: finding.detail.clone(),
        };
        rows.insert([finding.feature.clone(), guest, kernel, xen], row);
    }
    let list: Vec<Value> = rows
        .iter()
        .map(|([feature, guest, kernel, xen], row)| {
            let Row {
                check,
                result,
                detail,
            } = row;
            json!({ "feature": feature, "guest": guest, "kernel": kernel, "xen": xen,
                "result": result, "detail": detail, "check": check })
        })
        .collect();
    fs::write(&path, format!("{:#}\n", Value::from(list)))?;
    Ok(())
}

/// What was found, and by which check.
struct Row {
    check: String,
    result: String,
    detail: String,
}

/// By feature, guest, kernel and Xen's version.
type Rows = BTreeMap<[String; 4], Row>;

fn path() -> Result<PathBuf> {
    Ok(rig::root()?.join("matrix.json"))
}

fn read(path: &PathBuf) -> Result<Rows> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(Rows::new());
    };
    let list: Vec<Value> = serde_json::from_str(&text).context("matrix.json is broken")?;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_string();
    let row = |row: &Value| {
        let key = ["feature", "guest", "kernel", "xen"].map(|name| text(row, name));
        let row = Row {
            check: text(row, "check"),
            result: text(row, "result"),
            detail: text(row, "detail"),
        };
        (key, row)
    };
    Ok(list.iter().map(row).collect())
}

/// The whole matrix as a table.
///
/// # Errors
/// The file cannot be read.
pub fn table() -> Result<String> {
    let mut lines =
        vec![["feature", "guest", "kernel", "xen", "result", "detail"].map(str::to_string)];
    for ([feature, guest, kernel, xen], row) in read(&path()?)? {
        lines.push([feature, guest, kernel, xen, row.result, row.detail]);
    }
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let mut out = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(widths) {
            out.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(&line[5]);
        out.push('\n');
    }
    Ok(out)
}
