//! A host that is live, and what a controller orders for it.

use std::net::Ipv4Addr;

use super::host::LiveHost;
use crate::{
    agent::deployed_with::DeployedWith,
    plan::{Desired, Files, Marker, Observed, SamplePlan, Transaction, sample_plans},
    render::{self, UnitInput, VhostInput},
    wire::{FileInputs, Order},
};

/// An order, and the host it is for.
pub(in crate::agent) struct Case {
    /// What is special about it.
    pub(super) about: &'static str,
    /// What is ordered.
    pub(in crate::agent) order: Order,
    /// The host as root knows it.
    pub(super) live: LiveHost,
}

/// Makes an order of each kind.
pub(super) fn cases() -> Vec<Case> {
    sample_plans(&prepare).into_iter().map(case).collect()
}

/// Makes the order of that kind.
pub(in crate::agent) fn the(about: &str) -> Case {
    cases().into_iter().find(|case| case.about == about).expect("there is such a case")
}

impl Case {
    /// Returns the order's transaction.
    pub(super) fn transaction(&mut self) -> &mut Transaction {
        &mut self.order.transaction
    }
}

fn case(plan: SamplePlan) -> Case {
    let SamplePlan { about, desired, observed, transaction } = plan;
    let inputs = inputs(&desired);
    let releases: Vec<_> =
        observed.host.releases.iter().map(|release| release.record.clone()).collect();
    let live = LiveHost {
        record: releases.last().expect("one is live").clone(),
        with: DeployedWith {
            service: desired.service.clone(),
            access: desired.access.clone(),
            inputs: inputs.clone(),
        },
        odoo_conf: desired.files.odoo_conf.clone(),
        releases,
        highest: 4,
    };
    Case { about, order: Order { transaction, inputs }, live }
}

/// Gives the host the files that its values render to.
fn prepare(desired: &mut Desired, observed: &mut Observed) {
    let inputs = inputs(desired);
    let input = inputs.vhost.as_ref().expect("it has a vhost");
    let vhost = render::vhost(input, None).unwrap();
    let files = Files {
        odoo_conf: "[options]\nworkers = 2\ndata_dir = /var/lib/odoo/acme\n".into(),
        unit: render::unit(&inputs.unit, None).unwrap(),
        unit_drop_in: render::unit_drop_in(&desired.host, true).unwrap(),
        vhost: Some(vhost.text),
        ..desired.files.clone()
    };
    desired.network.marker = Some(Marker { port: 80, text: vhost.marker });
    let host = &mut observed.host;
    host.odoo_conf = Some(files.odoo_conf.clone());
    host.unit = Some(files.unit.clone());
    host.unit_drop_in = Some(files.unit_drop_in.clone());
    host.vhost.clone_from(&files.vhost);
    let kept = host.as_deployed.as_mut().expect("there are copies");
    kept.odoo_conf.clone_from(&host.odoo_conf);
    kept.unit.clone_from(&host.unit);
    kept.unit_drop_in.clone_from(&host.unit_drop_in);
    kept.vhost.clone_from(&host.vhost);
    desired.compared = files.clone();
    desired.files = files;
}

fn inputs(desired: &Desired) -> FileInputs {
    let service = &desired.service;
    FileInputs {
        unit: UnitInput {
            host: desired.host.clone(),
            odoo: service.series,
            user: crate::host::UserName::parse(&service.user).unwrap(),
            group: crate::host::UserName::parse(&service.group).unwrap(),
            odoo_bin: service.odoo_bin.clone(),
            python: service.python.clone(),
            python_environment: None,
            workers: 2,
            limit_time_real: 120,
            data_dir: service.data_dir.clone(),
            log_directory: None,
            local_postgresql: true,
        },
        vhost: Some(VhostInput {
            host: desired.host.clone(),
            aliases: desired.network.aliases.clone(),
            port: 80,
            ipv6: true,
            tls: None,
            upstream_address: Ipv4Addr::LOCALHOST.into(),
            http_port: desired.network.http_port,
            gevent_port: 8072,
            workers: 2,
            client_max_body_size: "128m".into(),
            database_manager: false,
            trusted_proxies: Vec::new(),
            acme_webroot: None,
        }),
        unit_template: None,
        vhost_template: None,
    }
}
