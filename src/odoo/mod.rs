//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod manifest;
mod series;

pub use manifest::Manifest;
pub use series::Series;
