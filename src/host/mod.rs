//! One Odoo instance: the `.conf` dialect, inheritance, and what it means. Pure, but
//! for [`WorkingTree`], which reads files.

mod build;
mod dns_section;
mod error;
mod expression;
mod file;
#[expect(clippy::module_inception, reason = "`host::Host` lives in the file named after it")]
mod host;
pub mod lint;
mod load;
mod mask;
mod names;
mod nearest;
mod pattern;
mod place;
mod reader;
mod rendered;
mod requirements;
mod resolve;
mod tls;
mod tool_sections;

pub use dns_section::DnsOptions;
pub use error::{ConfigError, SourceError};
pub use expression::Context;
pub use file::{DEFAULT_SECTION, HostFile, Section};
pub use host::{AddonsDirectory, DeployOptions, Host, NginxOptions, Origin, Setting, Tls};
pub use load::{FileSource, HOSTS_DIRECTORY, WorkingTree, host_file_path, host_names};
pub use mask::shown_line;
pub use names::{
    DatabaseName, EnvironmentName, HostName, InvalidName, KeyName, ModuleName, ServerName, UserName,
};
pub(crate) use nearest::did_you_mean;
pub use pattern::{HostPattern, matches_stars};
pub use reader::parse_duration;
pub use rendered::{KEPT, RenderedOptions, RenderedValue};
pub use requirements::{REQUIREMENTS, Requirements};
pub use tool_sections::SETTLE;
