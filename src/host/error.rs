//! What is wrong with a configuration, and where.

use std::{fmt, path::Path};

use super::Origin;

/// One fault of one file, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// The line at fault.
    pub origin: Origin,
    /// What is wrong, lowercase and without a final period.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SourceError {
    /// Describes a fault of one line.
    #[must_use]
    pub fn new(origin: &Origin, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), message: message.into(), hint: None }
    }

    /// Describes a fault of a file as a whole, such as a key it lacks.
    #[must_use]
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self::new(&Origin::whole_file(file), message)
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the way out where one is known.
    #[must_use]
    pub fn with_optional_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

impl std::error::Error for SourceError {}

/// Every fault found in a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<SourceError>);

impl ConfigError {
    /// Returns the value, or the faults where there are any.
    ///
    /// # Errors
    /// Returns the faults in the order in which they were found.
    pub fn unless_empty<T>(faults: Vec<SourceError>, value: T) -> Result<T, Self> {
        if faults.is_empty() { Ok(value) } else { Err(Self(faults)) }
    }

    /// Returns the faults in the order in which they were found.
    pub fn faults(&self) -> impl Iterator<Item = &SourceError> {
        self.0.iter()
    }
}

impl From<SourceError> for ConfigError {
    fn from(fault: SourceError) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.0.iter().map(ToString::to_string);
        f.write_str(&faults.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for ConfigError {}
