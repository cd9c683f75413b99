//! Volumes as people write them.

use anyhow::{Result, bail, ensure};

/// The softest and the loudest that the audio domain takes, in 0.001 dB.
const SOFTEST: i32 = -200_000;
const LOUDEST: i32 = 6_020;

/// Reads `-6dB`, `+3 dB`, `-6` or `50%` as 0.001 dB.
///
/// # Errors
/// It is neither, or louder than +6 dB.
pub fn parse(text: &str) -> Result<i32> {
    let lower = text.trim().to_ascii_lowercase();
    let milli_db = if let Some(percent) = lower.strip_suffix('%') {
        let Ok(percent) = percent.trim().parse::<f64>() else {
            bail!("{text:?} is no percentage");
        };
        ensure!(percent >= 0.0, "{text:?}: there is nothing below silence");
        (20_000.0 * (percent / 100.0).log10()).max(f64::from(SOFTEST))
    } else {
        let number = lower.strip_suffix("db").unwrap_or(&lower).trim();
        match number.parse::<f64>() {
            Ok(db) if db.is_finite() => 1_000.0 * db,
            _ => bail!("{text:?} is no volume; write -6dB or 50%"),
        }
    };
    ensure!(
        milli_db <= f64::from(LOUDEST),
        "{text:?} is too loud: at most +6.02dB or 200%"
    );
    Ok((milli_db.round() as i32).max(SOFTEST))
}

/// Writes 0.001 dB as people do.
#[must_use]
pub fn show(milli_db: i32) -> String {
    if milli_db <= SOFTEST {
        "silent".to_owned()
    } else {
        format!("{:+.1}dB", f64::from(milli_db) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_and_percentages_are_thousandths_of_a_decibel() {
        for (text, wanted) in [
            ("-6dB", -6_000),
            ("-6 db", -6_000),
            ("+3dB", 3_000),
            ("-0.5", -500),
            ("0dB", 0),
            ("50%", -6_021),
            ("100%", 0),
            ("0%", SOFTEST),
            ("-1000dB", SOFTEST),
        ] {
            assert_eq!(parse(text).ok(), Some(wanted), "{text}");
        }
        for bad in ["", "dB", "%", "loud", "-5%", "7dB", "201%", "nan", "infdB"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for milli_db in [-60_000, -6_000, 0, 3_100] {
            assert_eq!(parse(&show(milli_db)).ok(), Some(milli_db));
        }
    }
}
