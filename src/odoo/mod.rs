//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod log_record;
mod literal;
mod manifest;
pub mod options;
mod series;
mod version;
mod upgrade_failure;
mod upgrade_log;

pub use log_record::{LogLevel, LogRecord, LoggedException, Place};
pub use manifest::Manifest;
pub use literal::{Literal, LiteralError};
pub use manifest::{Manifest, ManifestError};
pub use series::Series;
pub use version::stored_version;
pub use upgrade_failure::UpgradeFailure;
pub use upgrade_log::{UpgradeFinding, UpgradeLog, UpgradeProgress};
