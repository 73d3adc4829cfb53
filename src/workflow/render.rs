//! What a host's files would be, from the working tree and without a server.

use std::path::PathBuf;

use super::{
    Project, WorkflowError,
    files::{Renderer, Templates},
};
use crate::{
    host::{Host, HostName},
    layout::{Layout, ReleaseNumber},
    render as text,
    secret::{Secrets, is_sensitive_key},
};

/// One rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// A name for a copy of it.
    pub name: &'static str,
    /// Where it goes on the server.
    pub place: PathBuf,
    /// Its text; masked unless secrets were asked for.
    pub text: String,
}

/// Renders the files of a host's first release.
///
/// With `reveal`, every secret must have a value and stands in the text;
/// without, secrets are masked and need none.
///
/// # Errors
/// Fails when the configuration or a template does.
pub fn render(
    project: &Project,
    name: &HostName,
    reveal: bool,
) -> Result<Vec<RenderedFile>, WorkflowError> {
    let host = Host::load(&project.files, name)?;
    let number = ReleaseNumber(1);
    let mut renderer = Renderer {
        host: &host,
        settings: &project.settings,
        secrets: &project.secrets,
        templates: Templates::load(|path| project.repository.read(path))?,
        python_environment: None,
    };
    let masked = Secrets::masked(renderer.secret_names(number)?);
    if !reveal {
        renderer.secrets = &masked;
    }
    let options = renderer.options(number)?;
    let (files, _) = renderer.files(number, true)?;
    let sensitive = |key: &str| is_sensitive_key(key) || options.sensitive_keys.contains(key);
    let odoo_conf = if reveal {
        files.odoo_conf
    } else {
        text::mask_conf(&files.odoo_conf, &sensitive, &|_, _| crate::secret::MASK.to_owned())
    };
    let layout = Layout::new(name.clone());
    let file = |name, place, text| RenderedFile { name, place, text };
    let mut rendered = vec![
        file("odoo.conf", layout.conf_link(), odoo_conf),
        file("odoo.service", layout.unit(), files.unit),
        file("odoo-deploy.conf", layout.unit_drop_in(), files.unit_drop_in),
    ];
    rendered.extend(files.vhost.map(|text| file("nginx.conf", layout.vhost(), text)));
    let page = layout.current().join("maintenance.html");
    rendered.push(file("maintenance.html", page, files.maintenance_page));
    Ok(rendered)
}
