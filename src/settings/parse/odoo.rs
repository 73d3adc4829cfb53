//! `[odoo."19.0"]`, and the series that servers name.

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

use super::{Check, WrittenServer};
use crate::{
    host::ServerName,
    odoo::Series,
    settings::{
        OdooOrigin,
        odoo::{source_url, trusted_url},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenOrigin {
    package: Option<Spanned<String>>,
    repository: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    source: Option<Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn origins(
        &mut self,
        written: &IndexMap<Spanned<String>, WrittenOrigin>,
    ) -> IndexMap<Series, OdooOrigin> {
        let mut origins = IndexMap::new();
        for (name, written) in written {
            let series = self.value(name, |text| series(text));
            let origin = self.origin(name, written);
            if let (Some(series), Some(origin)) = (series, origin) {
                origins.insert(series, origin);
            }
        }
        origins
    }

    fn origin(&mut self, name: &Spanned<String>, written: &WrittenOrigin) -> Option<OdooOrigin> {
        let WrittenOrigin { package, repository, key, source } = written;
        match (package, repository, source) {
            (Some(package), None, None) if key.is_none() => {
                self.value(package, |text| OdooOrigin::package(text))
            }
            (None, Some(repository), None) => {
                let Some(key) = key else {
                    let hint = "write `key = \"https://…\"`: where the repository's key is";
                    self.fault(
                        repository,
                        "a repository needs the key it is signed by",
                        Some(hint),
                    );
                    return None;
                };
                let key = self.value(key, |text| trusted_url(text))?;
                self.value(repository, |text| OdooOrigin::repository(text, key))
            }
            (None, None, Some(source)) if key.is_none() => {
                self.value(source, |text| source_url(text)).map(OdooOrigin::Source)
            }
            _ => {
                let hint = "write one of `package`, `repository` (with `key`) and `source`";
                self.fault(name, "Odoo of a series comes from exactly one place", Some(hint));
                None
            }
        }
    }

    /// Reads which series each server is to have; each comes from somewhere, and a server
    /// has one package of Odoo at most.
    pub(super) fn wanted_odoo(
        &mut self,
        servers: &IndexMap<Spanned<String>, Spanned<WrittenServer>>,
        origins: &IndexMap<Series, OdooOrigin>,
    ) -> IndexMap<ServerName, Vec<Series>> {
        let mut wanted = IndexMap::new();
        for (name, server) in servers {
            // A bad name is told elsewhere.
            let Ok(name) = ServerName::parse(name.get_ref()) else { continue };
            let mut all: Vec<Series> = Vec::new();
            for written in &server.get_ref().odoo {
                let Some(series) = self.value(written, |text| series(text)) else { continue };
                let Some(origin) = origins.get(&series) else {
                    let message = format!("nothing says where Odoo {series} comes from");
                    let hint = format!("add a section [odoo.\"{series}\"]");
                    self.fault(written, message, Some(&hint));
                    continue;
                };
                let is_package = |other: &Series| origins[other].is_package();
                if let Some(other) = all.iter().find(|other| is_package(other))
                    && origin.is_package()
                {
                    let message = format!("a server has one package of Odoo: {other} is one, too");
                    let hint = "take `source` for one of them";
                    self.fault(written, message, Some(hint));
                }
                all.push(series);
            }
            wanted.insert(name, all);
        }
        wanted
    }
}

fn series(text: &str) -> Result<Series, String> {
    Series::try_from(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::Settings;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("deploy.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn odoo_comes_from_a_package_a_repository_or_its_source() {
        let text = "[odoo.\"19.0\"]\nrepository = \"https://n.example/19.0/deb/ ./\"\n\
                    key = \"https://n.example/odoo.key\"\n\
                    [odoo.\"18.0\"]\nsource = \"https://github.com/odoo/odoo.git\"\n\
                    [servers.a]\naddress = \"a\"\nodoo = [\"19.0\", \"18\"]\n\
                    [servers.b]\nlocal = true\n";
        let settings = parse(text).unwrap();
        assert_eq!(settings.wanted_odoo[0], [Series::V19, Series::V18]);
        assert!(settings.wanted_odoo[1].is_empty());
        let repository = OdooOrigin::Repository {
            uri: "https://n.example/19.0/deb/".into(),
            suite: "./".into(),
            key: "https://n.example/odoo.key".into(),
        };
        assert_eq!(settings.odoo[&Series::V19], repository);
        let package = |text: &str| OdooOrigin::package(text);
        assert_eq!(package("odoo-19"), Ok(OdooOrigin::Package("odoo-19".into())));
        assert_eq!(package("files/odoo.deb"), Ok(OdooOrigin::File("files/odoo.deb".into())));
        assert_eq!(
            package("https://a.example/odoo.deb"),
            Ok(OdooOrigin::Url("https://a.example/odoo.deb".into()))
        );
    }

    #[test]
    fn what_would_run_as_root_comes_from_where_nobody_else_can_change_it() {
        for bad in
            ["http://a.example/odoo.deb", "ftp://a.example/x.deb", "../x.deb", "/x.deb", "-o"]
        {
            assert!(OdooOrigin::package(bad).is_err(), "{bad}");
        }
        assert!(OdooOrigin::package("http://10.0.0.1:80/odoo.deb").is_ok());
        assert!(source_url("ext::sh -c id").is_err());
        assert!(source_url("file:///srv/odoo.git").is_ok());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        let odoo =
            "[odoo.\"19.0\"]\npackage = \"odoo-19\"\n[odoo.\"18.0\"]\npackage = \"odoo-18\"\n";
        for (bad, line) in [
            ("[odoo.\"12.0\"]\npackage = \"odoo\"\n", 1),
            ("[odoo.\"19.0\"]\n", 1),
            ("[odoo.\"19.0\"]\npackage = \"odoo\"\nsource = \"https://a.example\"\n", 1),
            ("[odoo.\"19.0\"]\nrepository = \"https://a.example ./\"\n", 2),
            ("[odoo.\"19.0\"]\npackage = \"odoo\"\nkey = \"https://a.example/key\"\n", 1),
            ("[servers.a]\naddress = \"a\"\nodoo = [\"19.0\"]\n", 3),
            (&format!("{odoo}[servers.a]\nlocal = true\nodoo = [\"19.0\", \"18.0\"]\n"), 7),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.starts_with(&format!("deploy.toml:{line}: ")), "{error}");
        }
    }
}
