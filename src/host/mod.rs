//! One Odoo instance: the `.conf` dialect, inheritance, and what it means. Pure.

mod error;
mod file;
#[expect(clippy::module_inception, reason = "`host::Host` lives in the file named after it")]
mod host;
mod mask;
mod names;

pub use error::{ConfigError, SourceError};
pub use file::{DEFAULT_SECTION, HostFile, Section};
pub use host::{
    AddonsDirectory, DeployOptions, Host, NginxOptions, Origin, Setting, SnapshotMethod, Tls,
};
pub use mask::shown_line;
pub use names::{
    DatabaseName, EnvironmentName, HostName, InvalidName, ModuleName, ServerName, UserName,
};
