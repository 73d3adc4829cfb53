//! A module's version as a database stores it.

use super::{Series, rules::ModuleVersions};

/// Returns what `ir_module_module.latest_version` holds for a manifest's
/// version: the series is put in front where it is absent.
#[must_use]
pub fn stored_version(series: Series, version: &str) -> String {
    let has_series = match series.rules().module_versions {
        ModuleVersions::AfterSeries => {
            version.strip_prefix(series.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }
        ModuleVersions::UpToThreeParts => {
            version.starts_with(series.as_str()) || version.split('.').count() > 3
        }
    };
    if has_series { version.to_owned() } else { format!("{series}.{version}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_put_in_front_once() {
        for (series, version, stored) in [
            (Series::V18, "1.0", "18.0.1.0"),
            (Series::V18, "18.0.1.0.0", "18.0.1.0.0"),
            (Series::V18, "18.0", "18.0.18.0"),
            (Series::V19, "1.3", "19.0.1.3"),
            (Series::V19, "19.0.1.3", "19.0.1.3"),
            (Series::V19, "19.0", "19.0"),
        ] {
            assert_eq!(stored_version(series, version), stored);
        }
    }
}
