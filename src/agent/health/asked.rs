//! How a host is asked, in the words of its series. Pure.

use crate::{
    host::DatabaseName,
    odoo::{
        Series,
        rules::{DatabaseInRequest, VersionRequest},
    },
};

/// A page, and the headers that name the database it is asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// The header by which a request names its database.
const HEADER: &str = "X-Odoo-Database";

/// Returns the login page of a database.
///
/// A series that knows no header for it takes a database the host does not serve for
/// the one it serves, if that is only one.
pub(super) fn login(series: Series, database: &DatabaseName) -> Asked {
    match series.rules().database_in_request {
        DatabaseInRequest::Session => {
            Asked { path: format!("/web/login?db={database}"), headers: Vec::new() }
        }
        DatabaseInRequest::Header => {
            Asked { path: "/web/login".to_owned(), headers: vec![(HEADER, database.to_string())] }
        }
    }
}

/// Tells whether the session that an answer gives goes with what is asked next: it
/// names the database there, and is refused beside the header.
pub(super) fn keeps_session(series: Series) -> bool {
    series.rules().database_in_request == DatabaseInRequest::Session
}

/// Returns the header for a page that names no database itself, and the answers that
/// say that it is there. With several databases no route of a module is known without
/// one: where a request cannot name it, 404 is an answer, too.
pub(super) fn health(
    series: Series,
    databases: &[DatabaseName],
) -> (Option<(&'static str, &str)>, &'static [u16]) {
    match series.rules().database_in_request {
        DatabaseInRequest::Session if databases.len() > 1 => (None, &[200, 404]),
        DatabaseInRequest::Session => (None, &[200]),
        DatabaseInRequest::Header => {
            (databases.first().map(|name| (HEADER, name.as_str())), &[200])
        }
    }
}

/// Returns the page that tells the version, and the JSON to post to it where it is not
/// simply fetched.
pub(super) fn version(series: Series) -> (&'static str, Option<&'static str>) {
    match series.rules().version_request {
        VersionRequest::VersionInfo => ("/web/webclient/version_info", Some("{}")),
        VersionRequest::WebVersion => ("/web/version", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [Series; 2] = [Series::V17, Series::V18];

    fn databases(names: &[&str]) -> Vec<DatabaseName> {
        names.iter().map(|name| DatabaseName::parse(name).unwrap()).collect()
    }

    #[test]
    fn a_login_page_is_asked_of_its_database() {
        let acme = &databases(&["acme"])[0];
        for series in OLD {
            let asked = Asked { path: "/web/login?db=acme".into(), headers: vec![] };
            assert_eq!(login(series, acme), asked);
            assert!(keeps_session(series));
        }
        let headers = vec![("X-Odoo-Database", "acme".to_owned())];
        assert_eq!(login(Series::V19, acme), Asked { path: "/web/login".into(), headers });
        assert!(!keeps_session(Series::V19));
    }

    #[test]
    fn a_page_without_a_database_is_there_or_not_known() {
        let (one, two) = (databases(&["acme"]), databases(&["acme", "other"]));
        for series in OLD {
            assert_eq!(health(series, &one), (None, [200].as_slice()));
            assert_eq!(health(series, &two), (None, [200, 404].as_slice()));
        }
        for databases in [&one, &two] {
            let header = Some(("X-Odoo-Database", "acme"));
            assert_eq!(health(Series::V19, databases), (header, [200].as_slice()));
        }
    }

    #[test]
    fn the_version_is_posted_for_or_fetched() {
        for series in OLD {
            assert_eq!(version(series), ("/web/webclient/version_info", Some("{}")));
        }
        assert_eq!(version(Series::V19), ("/web/version", None));
    }
}
