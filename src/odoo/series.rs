//! Odoo's release series.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A series of Odoo that this tool knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Series {
    /// 17.0
    V17,
    /// 18.0
    V18,
    /// 19.0
    V19,
}

impl Series {
    /// Every known series, oldest first.
    pub const ALL: [Self; 3] = [Self::V17, Self::V18, Self::V19];

    /// Reads `18.0` or `18`; none for a series this tool does not know.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|series| text == series.as_str() || text == &series.as_str()[..2])
    }

    /// Returns the series as Odoo writes it, `18.0`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V17 => "17.0",
            Self::V18 => "18.0",
            Self::V19 => "19.0",
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Series {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a known series of Odoo"))
    }
}

impl From<Series> for String {
    fn from(series: Series) -> Self {
        series.as_str().to_owned()
    }
}
