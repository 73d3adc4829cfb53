//! The page that visitors see during an upgrade.

use serde::{Deserialize, Serialize};

use super::{
    RenderError,
    template::{Escape, fill},
};
use crate::host::{EnvironmentName, HostName};

const TEMPLATE: &str = include_str!("templates/maintenance.html.hbs");

/// What the page is made of: the context of `maintenance.html.hbs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceInput {
    /// The host.
    pub host: HostName,
    /// Its environment.
    pub environment: EnvironmentName,
}

/// Writes the maintenance page, from the given template or the built-in one. Values are escaped.
///
/// # Errors
/// Refuses a template that does not fit.
pub fn maintenance_page(
    input: &MaintenanceInput,
    template: Option<&str>,
) -> Result<String, RenderError> {
    fill("maintenance.html", template.unwrap_or(TEMPLATE), Escape::Html, input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> MaintenanceInput {
        MaintenanceInput {
            host: HostName::parse("shop.example.com").expect("a good name"),
            environment: EnvironmentName::parse("production").expect("a good name"),
        }
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = maintenance_page(&input(), None).unwrap();
        assert!(page.contains("shop.example.com"));
        for reference in ["src=", "href=", "url(", "@import", "{{"] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn a_template_of_the_repository_wins() {
        let page = maintenance_page(&input(), Some("<p>{{host}} {{environment}}</p>")).unwrap();
        assert_eq!(page, "<p>shop.example.com production</p>");
        assert!(maintenance_page(&input(), Some("{{secret}}")).is_err());
    }

    #[test]
    fn every_documented_name_is_there() {
        let template = crate::render::template::documented_names("maintenance.html.hbs");
        maintenance_page(&input(), Some(&template)).unwrap();
    }
}
