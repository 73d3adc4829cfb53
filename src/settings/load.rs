//! Finds `config/deploy.toml` among the files of a repository.

use std::path::Path;

use super::Settings;
use crate::host::{ConfigError, FileSource, SourceError};

/// The path of the settings, relative to the root of the repository.
pub const SETTINGS_FILE: &str = "config/deploy.toml";

impl Settings {
    /// Reads `config/deploy.toml`; the defaults where there is none.
    ///
    /// # Errors
    /// Returns an error when the file cannot be read or has faults.
    pub fn load(files: &impl FileSource) -> Result<Self, ConfigError> {
        let path = Path::new(SETTINGS_FILE);
        let content = files
            .read(path)
            .map_err(|error| SourceError::of_file(path, format!("failed to read: {error}")))?;
        let Some(content) = content else { return Ok(Self::default()) };
        let text = String::from_utf8(content)
            .map_err(|_| SourceError::of_file(path, "the file is not UTF-8"))?;
        Self::parse(&text, path)
    }
}
