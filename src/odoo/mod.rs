//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod manifest;
pub mod options;
mod series;
mod version;

pub use manifest::Manifest;
pub use series::Series;
pub use version::stored_version;
