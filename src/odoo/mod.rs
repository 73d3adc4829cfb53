//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod command_line;
mod data_calls;
mod literal;
mod log_record;
mod manifest;
pub mod options;
pub mod rules;
mod series;
mod upgrade_failure;
mod upgrade_log;
mod version;

pub use command_line::CommandLine;
pub use data_calls::functions_called;
pub use literal::{Literal, LiteralError};
pub use log_record::{LogLevel, LogRecord, LoggedException, Place};
pub use manifest::{Manifest, ManifestError};
pub use rules::Rules;
pub use series::Series;
pub use upgrade_failure::UpgradeFailure;
pub use upgrade_log::{UpgradeFinding, UpgradeLog, UpgradeProgress};
pub use version::{stored_version, takes_version};
