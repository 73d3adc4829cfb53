//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod data_calls;
mod literal;
mod log_record;
mod manifest;
pub mod options;
mod requirements;
mod series;
mod upgrade_failure;
mod upgrade_log;
mod version;

pub use data_calls::functions_called;
pub use literal::{Literal, LiteralError};
pub use log_record::{LogLevel, LogRecord, LoggedException, Place};
pub use manifest::{Manifest, ManifestError};
pub use requirements::included_files;
pub use series::Series;
pub use upgrade_failure::UpgradeFailure;
pub use upgrade_log::{UpgradeFinding, UpgradeLog, UpgradeProgress};
pub use version::stored_version;
