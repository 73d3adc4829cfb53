//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod data_calls;
mod log_record;
mod manifest;
mod series;
mod upgrade_failure;
mod upgrade_log;

pub use data_calls::functions_called;
pub use log_record::{LogLevel, LogRecord, LoggedException, Place};
pub use manifest::Manifest;
pub use series::Series;
pub use upgrade_failure::UpgradeFailure;
pub use upgrade_log::{UpgradeFinding, UpgradeLog, UpgradeProgress};
