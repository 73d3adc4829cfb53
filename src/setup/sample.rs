//! A bare server and one that is as it should be, for tests.

use super::{
    MachineFacts, OsRelease, UnitFacts, Wish,
    facts::Firewall,
    plan_setup,
    step::SetupStep,
    wish::{CLOCKS, DIRECTORIES, PACKAGE_UNIT, PACKAGES, UNITS},
};
use crate::{odoo::Series, settings::OdooOrigin};

/// Odoo 19 from a package.
pub(super) fn wish() -> Wish {
    let origin = OdooOrigin::Package("odoo-19".into());
    Wish { odoo: [(Series::V19, origin)].into(), log_days: 30, agent: "1.0.0".into() }
}

/// A Debian 13 with sshd and nothing else.
pub(super) fn bare() -> MachineFacts {
    MachineFacts {
        agent: "1.0.0".into(),
        os: OsRelease { id: "debian".into(), version: "13".into(), name: "Debian 13".into() },
        login: Some("deploy".into()),
        memory: 4 << 30,
        cpus: 2,
        ipv6: true,
        ssh_ports: vec![22],
        ..MachineFacts::default()
    }
}

/// What a setup makes of the bare one.
pub(super) fn matching() -> MachineFacts {
    let mut facts = bare();
    let plan = plan_setup(&wish(), &facts);
    let up = UnitFacts { known: true, active: true, enabled: true, ..UnitFacts::default() };
    let installed = |name: &&str| ((*name).to_owned(), "1".to_owned());
    facts.packages = PACKAGES.iter().chain(&CLOCKS[..1]).map(installed).collect();
    facts.units = UNITS.iter().map(|unit| ((*unit).to_owned(), up.clone())).collect();
    facts.units.insert(super::plan::cluster_unit(17), up);
    let masked = UnitFacts { known: true, masked: true, ..UnitFacts::default() };
    facts.units.insert(PACKAGE_UNIT.to_owned(), masked);
    facts.directories =
        DIRECTORIES.iter().map(|(path, owner, _)| (path.into(), (*owner).to_owned())).collect();
    facts.user = true;
    facts.clusters = vec![17];
    facts.role = Some(true);
    facts.firewall = Some(Firewall { active: true, closed: true, open: vec![22, 80, 443] });
    facts.odoo = Some("19.0".into());
    for file in plan.steps.iter().flat_map(SetupStep::files) {
        let into =
            if file.path.starts_with("/etc/nginx") { &mut facts.nginx } else { &mut facts.files };
        into.insert(file.path.clone(), file.text.clone());
    }
    let main = "http {\n    server_tokens off;\n}\n";
    facts.nginx.insert("/etc/nginx/nginx.conf".into(), main.into());
    facts
}
