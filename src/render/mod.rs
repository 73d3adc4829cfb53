//! Turns a host and templates into the texts of its files, and compares texts. Pure.

mod challenge;
mod cloudflare;
mod maintenance;
mod mask;
mod nginx_text;
mod notification;
mod template;
mod unit;
mod vhost;

pub use challenge::{CHALLENGE_PATH, challenge_vhost};
pub use cloudflare::CLOUDFLARE_RANGES;
pub use maintenance::{MaintenanceInput, maintenance_page};
pub use mask::{keyed_mask, mask_conf};
pub use notification::{NOTIFICATION_TEMPLATE, NotificationHost, NotificationInput, notification};
pub use template::RenderError;
pub use unit::{UnitInput, unit, unit_drop_in};
pub use vhost::{MARKER_PATH, Vhost, VhostInput, VhostTls, upstream_address, vhost};
