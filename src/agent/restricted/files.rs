//! The files of root's that a transaction brings: rendered anew from root's own templates and
//! from values that root knows, so that their texts can be compared. Pure.

use super::{Refusal, host::LiveHost, pinned::same};
use crate::{
    causes::with_causes,
    render::{self, UnitInput, Vhost, VhostInput},
    wire::FileInputs,
};

/// The texts that a transaction may bring.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    /// The unit.
    pub(super) unit: String,
    /// Its drop-in.
    pub(super) drop_in: String,
    /// The vhost; none where the host has none.
    pub(super) vhost: Option<Vhost>,
}

/// Renders them.
///
/// # Errors
/// Refuses values and templates other than the live ones, but for what concerns Odoo only:
/// how many workers it has, how long and how large a request may be.
pub(super) fn render(asked: &FileInputs, live: &LiveHost) -> Result<Rendered, Refusal> {
    let with = &live.with.inputs;
    let unit = UnitInput {
        workers: asked.unit.workers,
        limit_time_real: asked.unit.limit_time_real,
        ..with.unit.clone()
    };
    same("the unit", &asked.unit, &unit)?;
    let vhost = vhost_input(asked, with)?;
    template("odoo.service.hbs", &asked.unit_template, &with.unit_template)?;
    template("nginx.conf.hbs", &asked.vhost_template, &with.vhost_template)?;
    let failed = |error: render::RenderError| Refusal::needs_full_login(with_causes(&error));
    let vhost = vhost.map(|input| render::vhost(&input, with.vhost_template.as_deref()));
    Ok(Rendered {
        unit: render::unit(&unit, with.unit_template.as_deref()).map_err(failed)?,
        drop_in: render::unit_drop_in(&unit.host, unit.local_postgresql).map_err(failed)?,
        vhost: vhost.transpose().map_err(failed)?,
    })
}

fn vhost_input(asked: &FileInputs, with: &FileInputs) -> Result<Option<VhostInput>, Refusal> {
    let (asked, live) = match (&asked.vhost, &with.vhost) {
        (None, None) => return Ok(None),
        (Some(asked), Some(live)) => (asked, live),
        (None, Some(_)) => return Err(Refusal::needs_full_login("the vhost would be removed")),
        (Some(_), None) => return Err(Refusal::needs_full_login("the host would get a vhost")),
    };
    let vhost = VhostInput {
        workers: asked.workers,
        client_max_body_size: asked.client_max_body_size.clone(),
        ..live.clone()
    };
    same("the vhost", asked, &vhost)?;
    Ok(Some(vhost))
}

fn template(name: &str, asked: &Option<String>, live: &Option<String>) -> Result<(), Refusal> {
    if asked == live {
        return Ok(());
    }
    let message = format!("the template deployment/templates/{name} changed");
    Err(Refusal::needs_full_login(message))
}
