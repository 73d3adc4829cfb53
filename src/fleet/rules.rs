//! How a run over many hosts goes: in which parts, how many at once, and when it ends early.

use std::{fmt, num::NonZeroUsize, str::FromStr};

use serde::{Deserialize, Serialize};

/// A number of hosts, or a part of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Amount {
    /// That many.
    Hosts(usize),
    /// That many of a hundred, 0 to 100.
    Percent(u8),
}

/// What becomes of a run when more hosts failed than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// No further host is begun; those that are deployed stay so.
    Stop,
    /// Every host is deployed to, whatever happens.
    Continue,
    /// No further host is begun, and those that this run deployed go back.
    Rollback,
}

/// The rules of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// How many hosts each part has; the last one counts for all that follow. Empty is all
    /// hosts at once.
    pub batches: Vec<Amount>,
    /// How many hosts are deployed to at once.
    pub max_parallel: NonZeroUsize,
    /// How many of them on one server.
    pub per_server: NonZeroUsize,
    /// How many hosts may fail.
    pub max_failed: Amount,
    /// How many hosts may be out of reach.
    pub max_unreachable: Amount,
    /// What happens when more do.
    pub on_failure: OnFailure,
}

impl Amount {
    /// Returns how many hosts that is; a part is rounded down.
    #[must_use]
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Hosts(number) => number,
            Self::Percent(part) => all.saturating_mul(part.into()) / 100,
        }
    }
}

/// A text is no number of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number of hosts nor a part of them, such as `25%`")]
pub struct AmountError(String);

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AmountError(text.to_owned());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.strip_suffix('%') {
            Some(part) if digits(part) => match part.parse() {
                Ok(part @ 0..=100) => Ok(Self::Percent(part)),
                _ => Err(wrong()),
            },
            None if digits(text) => text.parse().map(Self::Hosts).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(number) => write!(f, "{number}"),
            Self::Percent(part) => write!(f, "{part}%"),
        }
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl Rules {
    /// Returns how many hosts each part has, one after the other: together they are all, and
    /// each has one at least.
    #[must_use]
    pub fn parts(&self, hosts: usize) -> Vec<usize> {
        let mut sizes = self.batches.iter().map(|size| size.of(hosts).max(1));
        let mut size = hosts;
        let (mut parts, mut left) = (Vec::new(), hosts);
        while left > 0 {
            size = sizes.next().unwrap_or(size);
            let part = size.min(left);
            parts.push(part);
            left -= part;
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(batches: &str) -> Rules {
        let amounts = batches.split(',').filter(|text| !text.is_empty());
        Rules {
            batches: amounts.map(|text| text.parse().unwrap()).collect(),
            max_parallel: NonZeroUsize::new(8).unwrap(),
            per_server: NonZeroUsize::new(2).unwrap(),
            max_failed: Amount::Hosts(0),
            max_unreachable: Amount::Hosts(0),
            on_failure: OnFailure::Stop,
        }
    }

    #[test]
    fn parts_are_all_hosts_and_none_is_empty() {
        assert_eq!(rules("").parts(16), [16]);
        assert_eq!(rules("1,25%,100%").parts(16), [1, 4, 11]);
        assert_eq!(rules("1,2").parts(6), [1, 2, 2, 1]);
        assert_eq!(rules("5%").parts(3), [1, 1, 1]);
        assert_eq!(rules("1,100%").parts(1), [1]);
        assert_eq!(rules("1").parts(0), [0_usize; 0]);
    }

    #[test]
    fn an_amount_is_a_number_or_a_part() {
        for (text, amount) in [("3", Amount::Hosts(3)), ("100%", Amount::Percent(100))] {
            assert_eq!(text.parse(), Ok(amount));
            assert_eq!(amount.to_string(), text);
        }
        for text in ["", "%", "-1", "+1", "101%", "1.5", "25 %", "99999999999999999999999"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
