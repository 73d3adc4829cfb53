//! From what is written to what is meant: a resolved file becomes a [`Host`]. Pure.

use super::{
    ConfigError, EnvironmentName, FileSource, Host, HostName, Origin, ServerName,
    dns_section::read_dns,
    expression::Scope,
    load::host_file_path,
    place::{read_addons_path, read_databases, read_place},
    reader::{Reader, all_or},
    resolve::{Resolved, Settings},
    tool_sections::{read_deploy, read_nginx},
};
use crate::odoo::Series;

impl Host {
    /// Reads `config/hosts/<name>.conf` and all that it extends.
    ///
    /// # Errors
    /// Returns every fault found: a file that Odoo could not read, an unknown key
    /// of the tool's, a missing or unusable value.
    pub fn load(files: &impl FileSource, name: &HostName) -> Result<Self, ConfigError> {
        let path = host_file_path(name);
        let mut resolved = Resolved::read(files, &path)?;
        let deploy = resolved.take("deploy");
        let nginx = resolved.take("deploy.nginx");
        let dns = resolved.take("deploy.dns");
        let backup = resolved.take("deploy.backup");
        let options = resolved.take("options");
        let mut faults = Vec::new();
        let mut reader = Reader {
            file: Origin::whole_file(&path),
            scopes: Scope::examples(name.as_str(), "", ""),
            faults: &mut faults,
        };
        let identity = read_identity(&mut reader, &deploy);
        if let Some((environment, server, _)) = &identity {
            reader.scopes = Scope::examples(name.as_str(), server.as_str(), environment.as_str());
        }
        let deploy = read_deploy(&mut reader, &deploy);
        let nginx = read_nginx(&mut reader, &nginx);
        let dns = read_dns(&mut reader, &dns);
        let databases = read_databases(&mut reader, &options);
        let addons_path = read_addons_path(&mut reader, &options);
        let series = identity.as_ref().map_or(Series::V19, |(_, _, series)| *series);
        let place = read_place(&mut reader, &options, series);
        let host = identity.map(|(environment, server, odoo)| Self {
            name: name.clone(),
            environment,
            server,
            odoo,
            databases,
            data_dir: place.data_dir,
            http_port: place.http_port,
            gevent_port: place.gevent_port,
            http_interface: place.http_interface,
            workers: place.workers,
            addons_path,
            deploy,
            nginx,
            dns,
            backup,
            options,
            foreign: resolved.sections,
        });
        all_or(host, faults)
    }
}

fn read_identity(
    reader: &mut Reader<'_>,
    deploy: &Settings,
) -> Option<(EnvironmentName, ServerName, Series)> {
    let environment = reader.required(
        deploy,
        ("environment", "deploy"),
        "write `environment = production`, or another name under [environments] of config/deploy.toml",
        EnvironmentName::parse,
    );
    let server = reader.required(
        deploy,
        ("server", "deploy"),
        "write `server = NAME`, a name under [servers] of config/deploy.toml",
        ServerName::parse,
    );
    let series = reader.required(
        deploy,
        ("odoo", "deploy"),
        "write Odoo's series: `odoo = 17.0`, `18.0` or `19.0`",
        |text| Series::parse(text).ok_or_else(|| format!("`{text}` is not 17.0, 18.0 or 19.0")),
    );
    Some((environment?, server?, series?))
}
