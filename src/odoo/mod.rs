//! What is known of Odoo itself: series, options, manifests, its log. Pure.

mod literal;
mod manifest;
mod series;

pub use literal::{Literal, LiteralError};
pub use manifest::{Manifest, ManifestError};
pub use series::Series;
