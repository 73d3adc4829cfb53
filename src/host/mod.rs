//! One Odoo instance: the `.conf` dialect, inheritance, and what it means. Pure.

#[expect(clippy::module_inception, reason = "`host::Host` lives in the file named after it")]
mod host;
mod names;

pub use host::{
    AddonsDirectory, DeployOptions, Host, NginxOptions, Origin, Setting, SnapshotMethod, Tls,
};
pub use names::{
    DatabaseName, EnvironmentName, HostName, InvalidName, ModuleName, ServerName, UserName,
};
