//! Turns a host and templates into the texts of its files, and compares texts. Pure.

mod maintenance;
mod mask;
mod template;
mod unit;
mod vhost;

pub use maintenance::{MaintenanceInput, maintenance_page};
pub use mask::{keyed_mask, mask_conf};
pub use template::RenderError;
pub use unit::{UnitInput, unit, unit_drop_in};
pub use vhost::{MARKER_PATH, Vhost, VhostInput, VhostTls, upstream_address, vhost};
