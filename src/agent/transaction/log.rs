//! Odoo's log in a transaction: from where on it is read, and what of it is masked.

use std::path::Path;

use super::Run;
use crate::agent::{
    log_source::{LogError, LogPosition, LogSource},
    server::FileError,
    step,
};

impl Run<'_> {
    /// Notes where Odoo's log is now: what follows is read from there.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub fn position_log(&mut self) -> Result<(), LogError> {
        let logfile = self.transaction.service.logfile.clone();
        let source = LogSource { unit: self.layout.unit_name(), file: logfile };
        self.log = Some(source.now(self.server)?);
        Ok(())
    }

    /// Counts a log from a moment on.
    pub fn read_log_from(&mut self, position: LogPosition) {
        self.log = Some(position);
    }

    /// Returns the last position that was noted; now, where there is none.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub fn log_position(&mut self) -> Result<LogPosition, LogError> {
        if self.log.is_none() {
            self.position_log()?;
        }
        Ok(self.log.clone().expect("it was just noted"))
    }

    /// Masks registered secrets in a log that Odoo wrote: it has what modules print.
    ///
    /// # Errors
    /// Fails when the log cannot be read. One that cannot be replaced is emptied.
    pub fn redact_log(&mut self, log: &Path) -> Result<(), FileError> {
        let text = self.server.read(log)?.unwrap_or_default();
        let redacted = self.events.redact(&text);
        if redacted == text {
            return Ok(());
        }
        if let Err(error) = step::release::replace(self.server, log, &redacted, 0o600) {
            self.warn(format!("{error}; it held secrets and was emptied"));
            step::release::write(self.server, log, "", 0o600)?;
        }
        Ok(())
    }
}
