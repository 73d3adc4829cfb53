//! What may be wrong with PostgreSQL, a database or its modules.

use super::{allows, refuses};
use crate::odoo::Series;
use crate::plan::{
    ClusterFacts, UpdateChoice,
    sample::{Sample, addon, module},
};

#[test]
fn postgresql_answers() {
    refuses(
        |sample| sample.observed.cluster.version = Err("connection refused".into()),
        "PostgreSQL cannot be reached: connection refused\n  \
         hint: check `db_host`, `db_port`, `db_user` and `db_password`",
    );
}

#[test]
fn a_database_is_an_odoo_database_of_this_host() {
    refuses(
        |sample| sample.facts().modules.clear(),
        "database acme-prod exists and is not an Odoo database\n  \
         hint: drop it, or name another one by `db_name`",
    );
    refuses(
        |sample| sample.facts().deployed_by = Some("other.example.com".into()),
        "database acme-prod belongs to host other.example.com\n  \
         hint: two hosts must not share a database",
    );
    allows(|sample| sample.facts().deployed_by = None);
}

#[test]
fn a_database_is_not_half_way_through_an_upgrade() {
    refuses(
        |sample| {
            let taller = sample.facts().modules.get_mut(&module("taller")).unwrap();
            taller.state = "to upgrade".into();
        },
        "database acme-prod has half-done modules: taller (to upgrade)\n  \
         hint: finish or cancel them in Odoo (Apps) before a deploy",
    );
    refuses(
        |sample| sample.facts().partially_updated = true,
        "an earlier upgrade of database acme-prod did not finish\n  \
         hint: `base.partially_updated_database` is set: run `odoo -u base` on it by hand",
    );
}

#[test]
fn a_database_of_a_live_host_is_never_created() {
    refuses(
        |sample| sample.observed.databases.clear(),
        "database acme-prod does not exist\n  \
         hint: this host has been deployed before, so the database is not created: it was renamed, dropped, or `db_name` is mistyped",
    );
}

#[test]
fn a_database_is_created_only_where_the_hosts_file_says_with_what() {
    let mut sample = Sample::new_host();
    sample.desired.policy.install.clear();
    sample.observed.cluster.names = vec!["acme".into(), "shop".into()];
    assert_eq!(
        sample.refusal(),
        "database acme-prod does not exist\n  \
         hint: correct `db_name` (there is: acme, shop), or list the modules of a new database by `install = base, …` in `[deploy]`"
    );
    let mut sample = Sample::new_host();
    let cluster = sample.observed.cluster.clone();
    sample.observed.cluster = ClusterFacts { may_create: false, ..cluster };
    assert_eq!(
        sample.refusal(),
        "database acme-prod does not exist\n  \
         hint: the role may not create databases: ALTER ROLE … CREATEDB"
    );
}

#[test]
fn a_module_that_is_named_exists() {
    let unknown = "module `ventas` is neither in the release nor known to database acme-prod";
    refuses(|sample| sample.desired.install = vec![module("ventas")], unknown);
    refuses(|sample| sample.desired.update = UpdateChoice::Only(vec![module("ventas")]), unknown);
    allows(|sample| {
        sample.desired.addons.push(addon("ventas", &["base"]));
        sample.desired.install = vec![module("ventas")];
    });
}

#[test]
fn a_module_to_upgrade_is_installed() {
    refuses(
        |sample| {
            sample.desired.addons.push(addon("ventas", &["base"]));
            sample.desired.update = UpdateChoice::Only(vec![module("ventas")]);
        },
        "module `ventas` is not installed in acme-prod\n  \
         hint: use `--install ventas` to install it",
    );
    allows(|sample| sample.desired.update = UpdateChoice::Only(vec![module("taller")]));
}

#[test]
fn a_module_that_runs_has_a_version_of_the_series() {
    refuses(
        |sample| sample.desired.addons[1].manifest.version = "18.0.1.0.0".into(),
        "Odoo 19.0 does not take version `18.0.1.0.0` of module `taller_portal`\n  \
         hint: write `x.y.z` or `19.0.x.y.z` in its manifest",
    );
    let of_18 = |name: &str| {
        let mut addon = addon(name, &["base"]);
        addon.manifest.version = "18.0.1.0.0".into();
        addon
    };
    allows(|sample| sample.desired.addons.push(of_18("ventas")));
    allows(|sample| {
        sample.desired.addons[1].manifest.version = "18.0.1.0.0".into();
        sample.desired.service.series = Series::V18;
        sample.observed.server.odoo_version = Ok("Odoo Server 18.0".into());
    });
}

#[test]
fn an_installed_module_stays_installable() {
    let hint = "\n  hint: uninstall it in Odoo first, or bring it back in the branch";
    refuses(
        |sample| sample.desired.addons.retain(|addon| addon.name != module("taller_portal")),
        &format!(
            "module `taller_portal` is installed in acme-prod, but the release no longer has it{hint}"
        ),
    );
    refuses(
        |sample| sample.desired.addons[1].manifest.installable = false,
        &format!(
            "module `taller_portal` is installed in acme-prod, but the release says `installable: False`{hint}"
        ),
    );
    refuses(
        |sample| {
            let mut ventas = addon("ventas", &["base"]);
            ventas.manifest.installable = false;
            sample.desired.addons.push(ventas);
            sample.desired.install = vec![module("ventas")];
        },
        "module `ventas` is not installable",
    );
}

#[test]
fn a_module_has_what_it_depends_on() {
    refuses(
        |sample| sample.desired.addons[0].manifest.depends.push(module("fleet_extra")),
        "module `taller` depends on `fleet_extra`, which is neither in the release nor on the server",
    );
    allows(|sample| {
        let base = sample.facts().modules[&module("base")].clone();
        sample.facts().modules.insert(module("fleet"), base);
        sample.desired.addons[0].manifest.depends.push(module("fleet"));
    });
    allows(|sample| sample.desired.addons.push(addon("ventas", &["fleet_extra"])));
}
