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

/// Tells whether a series takes a manifest's version.
#[must_use]
pub fn takes_version(series: Series, version: &str) -> bool {
    let numbers = |text: &str| {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        text.split('.').all(is_number).then(|| text.split('.').count())
    };
    let stored = stored_version(series, version);
    let own = stored.strip_prefix(series.as_str()).and_then(|rest| rest.strip_prefix('.'));
    match (series.rules().module_versions, own.and_then(numbers)) {
        (_, None) => false,
        (ModuleVersions::AfterSeries, Some(count)) => (2..=3).contains(&count),
        // `1` alone is refused, `19.0.1` is not.
        (ModuleVersions::UpToThreeParts, Some(count)) => count <= 3 && version.contains('.'),
    }
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

    #[test]
    fn a_version_of_another_series_is_not_taken() {
        for series in Series::ALL {
            for version in ["1.0", "1.2.3", &format!("{series}.1.0"), &format!("{series}.1.0.0")] {
                assert!(takes_version(series, version), "{series} {version}");
            }
            for version in ["16.0.1.0.0", "1.2.3.4", "1.0a", "v1", "1", ""] {
                assert!(!takes_version(series, version), "{series} {version}");
            }
        }
        // 17 and 18 take the series alone for a version of the module; 19 does not.
        assert!(takes_version(Series::V18, "18.0") && !takes_version(Series::V19, "19.0"));
    }
}
