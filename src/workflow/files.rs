//! Renders everything a host's release holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::WorkflowError;
use crate::{
    host::{ConfigError, Context, Host, KEPT, Tls},
    layout::{ACME_WEBROOT, Layout, ReleaseNumber},
    plan::{DatabaseAccess, Files, Service},
    render::{self, CLOUDFLARE_RANGES, MaintenanceInput, UnitInput, VhostInput, VhostTls},
    secret::{Part, Secret, Secrets},
    settings::{Server, Settings},
    source::SourceError,
    wire::FileInputs,
};

/// A host with its secrets and templates: what can be rendered for any release.
pub(super) struct Renderer<'a> {
    pub(super) host: &'a Host,
    pub(super) settings: &'a Settings,
    pub(super) secrets: &'a Secrets,
    pub(super) templates: Templates,
}

/// The repository's own templates, where it has any.
#[derive(Default)]
pub(super) struct Templates {
    unit: Option<String>,
    vhost: Option<String>,
    maintenance: Option<String>,
}

/// The options of an odoo.conf with their values.
pub(super) struct Options {
    /// The text of odoo.conf.
    odoo_conf: Secret,
    /// The values of `[options]`.
    values: BTreeMap<String, String>,
    /// Keys whose values are secret.
    pub(super) sensitive_keys: BTreeSet<String>,
    /// The secret values.
    pub(super) secrets: Vec<Secret>,
}

impl Templates {
    /// Reads them through the given reader of the repository's files.
    pub(super) fn load(
        file: impl Fn(&Path) -> Result<Option<Vec<u8>>, SourceError>,
    ) -> Result<Self, SourceError> {
        let read = |name: &str| {
            let path = Path::new("deployment/templates").join(name);
            let bytes = file(&path)?;
            Ok::<_, SourceError>(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(Self {
            unit: read("odoo.service.hbs")?,
            vhost: read("nginx.conf.hbs")?,
            maintenance: read("maintenance.html.hbs")?,
        })
    }
}

impl Options {
    /// Returns the value of an option of `[options]`.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

impl Renderer<'_> {
    /// Names every secret that odoo.conf needs.
    pub(super) fn secret_names(&self, number: ReleaseNumber) -> Result<Vec<String>, WorkflowError> {
        let rendered = self.host.render_options(&self.context(number)?)?;
        Ok(rendered.secret_names().map(str::to_owned).collect())
    }

    /// Resolves the options of one release, secrets included.
    pub(super) fn options(&self, number: ReleaseNumber) -> Result<Options, WorkflowError> {
        let rendered = self.host.render_options(&self.context(number)?)?;
        let mut options = Options {
            odoo_conf: rendered.text(self.secrets)?,
            values: BTreeMap::new(),
            sensitive_keys: BTreeSet::new(),
            secrets: Vec::new(),
        };
        for (section, values) in &rendered.sections {
            for (key, value) in values {
                let secret = value.reveal(self.secrets).map_err(ConfigError::from)?;
                if section == "options" {
                    options.values.insert(key.clone(), secret.expose().to_owned());
                }
                if value.sensitive {
                    options.sensitive_keys.insert(key.clone());
                    options.secrets.push(secret);
                }
                // A secret inside a longer value is one by itself, too.
                let names = value.parts.iter().filter_map(Part::secret);
                options.secrets.extend(names.filter_map(|name| self.secrets.get(name)).cloned());
            }
        }
        Ok(options)
    }

    /// Renders every file of one release.
    pub(super) fn files(
        &self,
        number: ReleaseNumber,
        has_ipv6: bool,
    ) -> Result<(Files, Option<String>), WorkflowError> {
        let host = self.host;
        let options = self.options(number)?;
        let local = is_local(&options);
        let vhost = self.vhost(has_ipv6)?;
        let page =
            MaintenanceInput { host: host.name.clone(), environment: host.environment.clone() };
        let files = Files {
            odoo_conf: format!(
                "# written by odoo-deploy; edit config/hosts/{}.conf instead\n\n{}",
                host.name,
                options.odoo_conf.expose()
            ),
            unit: render::unit(&self.unit(&options), self.templates.unit.as_deref())?,
            unit_drop_in: render::unit_drop_in(&host.name, local)?,
            vhost: vhost.as_ref().map(|vhost| vhost.text.clone()),
            maintenance_page: render::maintenance_page(
                &page,
                self.templates.maintenance.as_deref(),
            )?,
        };
        Ok((files, vhost.map(|vhost| vhost.marker)))
    }

    /// Says what the files of root's are made of: where the server has to render them itself.
    pub(super) fn inputs(&self, has_ipv6: bool) -> Result<FileInputs, WorkflowError> {
        Ok(FileInputs {
            unit: self.unit(&self.options(ReleaseNumber(0))?),
            vhost: self.vhost_input(has_ipv6)?,
            unit_template: self.templates.unit.clone(),
            vhost_template: self.templates.vhost.clone(),
        })
    }

    /// Says how Odoo is run.
    pub(super) fn service(&self, options: &Options) -> Service {
        let host = self.host;
        Service {
            user: host.deploy.user.to_string(),
            group: host.deploy.group.to_string(),
            odoo_bin: host.deploy.odoo_bin.clone(),
            python: host.deploy.python.clone(),
            series: host.odoo,
            has_workers: host.workers > 0,
            logfile: options.get("logfile").filter(|path| !path.is_empty()).map(PathBuf::from),
            data_dir: host.data_dir.clone(),
        }
    }

    /// Says how the host's databases are reached.
    pub(super) fn access(&self, options: &Options) -> DatabaseAccess {
        let text = |key: &str| {
            let value = options.get(key).filter(|value| !matches!(*value, "False" | KEPT));
            value.map(str::to_owned)
        };
        DatabaseAccess {
            system_user: self.host.deploy.user.to_string(),
            host: text("db_host").unwrap_or_default(),
            port: text("db_port").and_then(|port| port.parse().ok()),
            user: text("db_user").unwrap_or_default(),
            password: text("db_password").filter(|password| !password.is_empty()),
        }
    }

    fn context(&self, number: ReleaseNumber) -> Result<Context, WorkflowError> {
        let layout = Layout::new(self.host.name.clone());
        let address = match self.settings.servers.get(&self.host.server) {
            Some(Server::Ssh(server)) => server.address.clone(),
            Some(Server::Local) | None => "localhost".to_owned(),
        };
        Ok(Context {
            server_address: address,
            branch: self.settings.environment(&self.host.environment)?.branch.clone(),
            release_number: number.0,
            release_path: layout.release(number),
            release_code: layout.code(number),
        })
    }

    fn unit(&self, options: &Options) -> UnitInput {
        let host = self.host;
        let logfile = options.get("logfile").filter(|path| !path.is_empty());
        let limit = options.get("limit_time_real").and_then(|limit| limit.parse().ok());
        UnitInput {
            host: host.name.clone(),
            odoo: host.odoo,
            user: host.deploy.user.clone(),
            group: host.deploy.group.clone(),
            odoo_bin: host.deploy.odoo_bin.clone(),
            python: host.deploy.python.clone(),
            workers: host.workers,
            // Odoo's own default, in seconds.
            limit_time_real: limit.unwrap_or(120),
            data_dir: host.data_dir.clone(),
            log_directory: logfile.and_then(|path| Path::new(path).parent()).map(PathBuf::from),
            local_postgresql: is_local(options),
        }
    }

    fn vhost(&self, has_ipv6: bool) -> Result<Option<render::Vhost>, WorkflowError> {
        let Some(input) = self.vhost_input(has_ipv6)? else { return Ok(None) };
        Ok(Some(render::vhost(&input, self.templates.vhost.as_deref())?))
    }

    fn vhost_input(&self, has_ipv6: bool) -> Result<Option<VhostInput>, WorkflowError> {
        let host = self.host;
        let Some(nginx) = &host.nginx else { return Ok(None) };
        let layout = Layout::new(host.name.clone());
        let proxies: &[&str] = if nginx.cloudflare { &CLOUDFLARE_RANGES } else { &[] };
        let tls = match &nginx.tls {
            Tls::None => None,
            Tls::Files { certificate, key } => {
                Some(VhostTls { certificate: certificate.clone(), key: key.clone() })
            }
            Tls::LetsEncrypt => {
                let directory = layout.acme_certificate();
                let [certificate, key] = ["fullchain.pem", "privkey.pem"];
                Some(VhostTls {
                    certificate: directory.join(certificate),
                    key: directory.join(key),
                })
            }
            Tls::CloudflareOrigin => {
                let directory = layout.origin_certificate();
                let [certificate, key] = ["certificate.pem", "key.pem"];
                Some(VhostTls {
                    certificate: directory.join(certificate),
                    key: directory.join(key),
                })
            }
        };
        Ok(Some(VhostInput {
            host: host.name.clone(),
            aliases: nginx.aliases.clone(),
            port: nginx.port,
            ipv6: has_ipv6,
            tls,
            upstream_address: render::upstream_address(&host.http_interface)?,
            http_port: host.http_port,
            gevent_port: host.gevent_port,
            workers: host.workers,
            client_max_body_size: nginx.client_max_body_size.clone(),
            database_manager: nginx.database_manager,
            trusted_proxies: proxies.iter().map(|&range| range.to_owned()).collect(),
            acme_webroot: (nginx.tls == Tls::LetsEncrypt).then(|| ACME_WEBROOT.into()),
        }))
    }
}

fn is_local(options: &Options) -> bool {
    matches!(options.get("db_host"), None | Some("" | "False" | "localhost" | "127.0.0.1" | "::1"))
}
