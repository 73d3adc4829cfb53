//! The service that runs a host.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    RenderError,
    template::{Escape, check_path, fill},
};
use crate::{
    host::{HostName, UserName},
    layout::Layout,
    odoo::{Series, rules::Hangup},
};

const TEMPLATE: &str = include_str!("templates/odoo.service.hbs");
const DROP_IN: &str = include_str!("templates/drop-in.conf.hbs");

/// What a unit is made of: the context of `odoo.service.hbs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitInput {
    /// The host.
    pub host: HostName,
    /// Odoo's series.
    pub odoo: Series,
    /// The system user that runs Odoo.
    pub user: UserName,
    /// Its group.
    pub group: UserName,
    /// Odoo's program on the server.
    pub odoo_bin: PathBuf,
    /// The interpreter that `env python3` finds first.
    pub python: PathBuf,
    /// `workers`.
    pub workers: i32,
    /// `limit_time_real`: seconds a request may take, so that a stop waits longer; 0 is no limit.
    pub limit_time_real: u32,
    /// `data_dir`.
    pub data_dir: PathBuf,
    /// The directory of `logfile`; none where Odoo logs to the journal.
    pub log_directory: Option<PathBuf>,
    /// Whether PostgreSQL runs on the same server.
    pub local_postgresql: bool,
}

/// What the unit's template finds besides the input.
#[derive(Serialize)]
struct Context<'input> {
    #[serde(flatten)]
    input: &'input UnitInput,
    /// The odoo.conf, through `current`.
    conf: PathBuf,
    /// Whether SIGHUP swaps the workers without a refused request.
    graceful_reload: bool,
    /// The directory of an interpreter other than the system's.
    python_directory: Option<PathBuf>,
    /// Seconds that a stop may take.
    stop_seconds: u32,
}

/// Writes the host's unit, from the given template or the built-in one.
///
/// # Errors
/// Refuses a path that would not stay within its directive, and a template that does not fit.
pub fn unit(input: &UnitInput, template: Option<&str>) -> Result<String, RenderError> {
    check_path("odoo_bin", &input.odoo_bin)?;
    check_path("python", &input.python)?;
    check_path("data_dir", &input.data_dir)?;
    if let Some(directory) = &input.log_directory {
        check_path("the directory of logfile", directory)?;
    }
    let context = Context {
        input,
        conf: Layout::new(input.host.clone()).current().join("odoo.conf"),
        graceful_reload: input.odoo.rules().hangup == Hangup::Reloads && input.workers > 0,
        python_directory: input
            .python
            .parent()
            .filter(|directory| *directory != "/usr/bin")
            .map(PathBuf::from),
        stop_seconds: stop_seconds(input.limit_time_real),
    };
    fill("odoo.service", template.unwrap_or(TEMPLATE), Escape::Nothing, &context)
}

/// Odoo waits up to `limit_time_real` for its last requests; systemd must not be the first to
/// lose patience, nor wait for ever.
fn stop_seconds(limit_time_real: u32) -> u32 {
    match limit_time_real {
        0 => 900,
        limit => limit.saturating_add(30).max(90),
    }
}

/// Writes the drop-in that ties the unit to the host's hold file, so that Odoo never starts
/// between two states and comes back by itself after a power cut.
///
/// # Errors
/// The built-in template fits every input: an error is a bug.
pub fn unit_drop_in(host: &HostName, local_postgresql: bool) -> Result<String, RenderError> {
    let layout = Layout::new(host.clone());
    let context = serde_json::json!({
        "host": host,
        "hold": layout.hold(),
        "permit": layout.start_permit(),
        "local_postgresql": local_postgresql,
    });
    fill("odoo-deploy.conf", DROP_IN, Escape::Nothing, &context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> UnitInput {
        UnitInput {
            host: HostName::parse("shop.example.com").expect("a good name"),
            odoo: Series::V19,
            user: UserName::parse("odoo").expect("a good name"),
            group: UserName::parse("odoo").expect("a good name"),
            odoo_bin: "/usr/bin/odoo".into(),
            python: "/usr/bin/python3".into(),
            workers: 4,
            limit_time_real: 120,
            data_dir: "/var/lib/odoo/shop".into(),
            log_directory: Some("/var/log/odoo".into()),
            local_postgresql: true,
        }
    }

    #[test]
    fn a_host_with_workers_on_19_reloads() {
        insta::assert_snapshot!(unit(&input(), None).unwrap());
    }

    #[test]
    fn a_threaded_host_on_18_in_a_venv_restarts() {
        let input = UnitInput {
            odoo: Series::V18,
            workers: 0,
            limit_time_real: 1200,
            odoo_bin: "/srv/odoo18/odoo-bin".into(),
            python: "/srv/odoo18/venv/bin/python".into(),
            log_directory: None,
            local_postgresql: false,
            ..input()
        };
        insta::assert_snapshot!(unit(&input, None).unwrap());
    }

    #[test]
    fn only_19_with_workers_has_a_reload() {
        for odoo in Series::ALL {
            for workers in [4, 1, 0, -1] {
                let text = unit(&UnitInput { odoo, workers, ..input() }, None).unwrap();
                let reloads = odoo == Series::V19 && workers > 0;
                assert_eq!(text.contains("ExecReload"), reloads, "{odoo}, {workers} workers");
            }
        }
    }

    #[test]
    fn a_stop_waits_longer_than_the_longest_request() {
        assert_eq!(stop_seconds(120), 150);
        assert_eq!(stop_seconds(10), 90);
        assert_eq!(stop_seconds(0), 900);
        assert_eq!(stop_seconds(u32::MAX), u32::MAX);
    }

    #[test]
    fn a_path_cannot_become_a_directive() {
        for path in ["/x\nExecStartPre=/bin/sh", "/x %h", "odoo"] {
            let input = UnitInput { odoo_bin: path.into(), ..input() };
            let error = unit(&input, None).unwrap_err().to_string();
            assert!(error.contains("cannot be used as odoo_bin"), "{error}");
        }
    }

    #[test]
    fn a_template_of_the_repository_wins() {
        let text = unit(&input(), Some("ExecStart={{odoo_bin}} -c {{conf}}\n")).unwrap();
        assert_eq!(
            text,
            "ExecStart=/usr/bin/odoo -c /opt/odoo/shop.example.com/current/odoo.conf\n"
        );
        assert!(unit(&input(), Some("{{typo}}")).is_err());
    }

    #[test]
    fn the_drop_in_holds_the_unit() {
        insta::assert_snapshot!(unit_drop_in(&input().host, true).unwrap());
    }

    #[test]
    fn every_documented_name_is_there() {
        let template = crate::render::template::documented_names("odoo.service.hbs");
        unit(&input(), Some(&template)).unwrap();
    }
}
