//! How often a checkpoint is written.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

/// How often a checkpoint is written, beside those at the beginning and at the end of a training.
///
/// ```
/// use fallline::Every;
///
/// assert_eq!("500steps".parse(), Ok(Every::Steps(500)));
/// assert_eq!("10min".parse::<Every>().unwrap().to_string(), "10min");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After so much time, at the end of the step under way.
    Time(Duration),
    /// After each multiple of so many steps, in the middle of an epoch, too.
    Steps(u64),
    /// At the end of each epoch whose number is a multiple of this one.
    Epochs(u64),
}

impl Default for Every {
    fn default() -> Every {
        Every::Epochs(1)
    }
}

impl Every {
    /// Whether it is a length at all: above 0.
    pub(super) fn is_positive(self) -> bool {
        match self {
            Every::Time(time) => !time.is_zero(),
            Every::Steps(count) | Every::Epochs(count) => count > 0,
        }
    }
}

impl FromStr for Every {
    type Err = String;

    /// A whole number above 0 with its unit: `s`, `min`, `h`, `steps` or `epochs`.
    fn from_str(text: &str) -> Result<Every, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let seconds = |each: u64| {
            let seconds = number.parse::<u64>().ok()?.checked_mul(each)?;
            Some(Every::Time(Duration::from_secs(seconds)))
        };
        let every = match unit.trim() {
            "s" => seconds(1),
            "min" => seconds(60),
            "h" => seconds(3600),
            "step" | "steps" => number.parse().ok().map(Every::Steps),
            "epoch" | "epochs" => number.parse().ok().map(Every::Epochs),
            _ => None,
        };
        every.filter(|every| every.is_positive()).ok_or_else(|| {
            "expected a whole number above 0 with its unit: s, min, h, steps or epochs, such as 10min, 500steps or 1epoch"
                .into()
        })
    }
}

impl Display for Every {
    fn fmt(&self, to: &mut Formatter) -> fmt::Result {
        let counted = |count: u64, unit: &str| format!("{count}{unit}{}", if count == 1 { "" } else { "s" });
        let text = match *self {
            Every::Steps(steps) => counted(steps, "step"),
            Every::Epochs(epochs) => counted(epochs, "epoch"),
            Every::Time(time) => match time.as_secs() {
                seconds if seconds.is_multiple_of(3600) && seconds > 0 => format!("{}h", seconds / 3600),
                seconds if seconds.is_multiple_of(60) && seconds > 0 => format!("{}min", seconds / 60),
                seconds => format!("{seconds}s"),
            },
        };
        to.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_written() {
        for (text, every, back) in [
            ("30s", Every::Time(Duration::from_secs(30)), "30s"),
            ("10min", Every::Time(Duration::from_secs(600)), "10min"),
            ("120min", Every::Time(Duration::from_secs(7200)), "2h"),
            ("1step", Every::Steps(1), "1step"),
            ("500 steps", Every::Steps(500), "500steps"),
            ("1epoch", Every::Epochs(1), "1epoch"),
            ("3epochs", Every::Epochs(3), "3epochs"),
        ] {
            assert_eq!(text.parse(), Ok(every), "{text}");
            assert_eq!(every.to_string(), back);
        }
        for text in [
            "",
            "10",
            "min",
            "0s",
            "0steps",
            "-1epoch",
            "1.5h",
            "5 minutes",
            "99999999999999999999h",
            "1e3steps",
        ] {
            let error = text.parse::<Every>().unwrap_err();
            assert!(error.starts_with("expected a whole number above 0 with its unit"), "{text}: {error}");
        }
    }
}
