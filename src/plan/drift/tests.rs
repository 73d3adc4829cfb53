use super::*;
use crate::{
    layout::ReleaseNumber,
    plan::{
        Plan,
        sample::{Sample, titles},
    },
};

fn host(sample: &mut Sample) -> &mut HostFacts {
    &mut sample.observed.host
}

fn edited_conf(text: &str) -> Sample {
    let mut sample = Sample::matching();
    host(&mut sample).odoo_conf = Some(text.into());
    sample
}

/// A vhost as certbot leaves it.
fn certbots_vhost() -> Sample {
    let mut sample = Sample::matching();
    let vhost = "server {}\nlisten 443 ssl; # managed by Certbot\n";
    host(&mut sample).vhost = Some(vhost.into());
    sample
}

fn wants_vhost(sample: &mut Sample, text: &str) {
    sample.desired.compared.vhost = Some(text.into());
    sample.desired.files.vhost = Some(text.into());
}

fn texts(sample: &Sample) -> Vec<String> {
    drift(&sample.observed.host).into_iter().map(|drift| drift.text).collect()
}

fn drifts(plan: &Plan) -> Vec<&str> {
    plan.drift.iter().map(|drift| drift.text.as_str()).collect()
}

#[test]
fn a_host_as_it_was_deployed_has_no_drift() {
    assert_eq!(texts(&Sample::matching()), Vec::<String>::new());
    assert_eq!(texts(&Sample::first_deploy()), Vec::<String>::new());
}

#[test]
fn an_edit_is_shown_with_the_options_that_differ() {
    let sample = edited_conf("[options]\nworkers = 4\nlimit_time_cpu = 900\n");
    let [found] = drift(&sample.observed.host).try_into().unwrap();
    assert_eq!(
        found.text,
        "odoo.conf was edited on the server: `limit_time_cpu`, `workers` differ"
    );
    assert_eq!(found.options, ["limit_time_cpu", "workers"]);
    insta::assert_snapshot!(found.diff.unwrap().hunks, @r"
    @@ -1 +1,2 @@
    -workers = 2
    +limit_time_cpu = 900
    +workers = 4
    ");
}

#[test]
fn odoos_own_rewrite_names_only_what_it_changed() {
    let mut sample = Sample::matching();
    let deployed = "# written by odoo-deploy\n\n[options]\nadmin_passwd = ******** (1)\n\
                    addons_path = /a,/b\nworkers = 2\nlist_db = True\n";
    let rewritten = "[options]\naddons_path = /a, /b\nadmin_passwd = ******** (2)\n\
                     csv_internal_sep = ,\ndb_host = False\nhttp_interface = 0.0.0.0\n\
                     limit_time_cpu = 60\nlist_db = True\nlogfile = None\nworkers = 2\n";
    host(&mut sample).as_deployed.as_mut().unwrap().odoo_conf = Some(deployed.into());
    host(&mut sample).odoo_conf = Some(rewritten.into());
    let [found] = drift(&sample.observed.host).try_into().unwrap();
    assert_eq!(
        found.text,
        "odoo.conf was rewritten on the server, as Odoo itself does: `admin_passwd` differs"
    );
    assert_eq!(found.diff.map(|diff| (diff.added, diff.removed)), Some((1, 1)));
}

#[test]
fn an_edit_that_says_the_same_stands_in_nobodys_way() {
    let mut sample = edited_conf("[options]\n# two are enough\nworkers = 2\n");
    let text = "odoo.conf was edited on the server: no option differs";
    assert_eq!(texts(&sample), [text]);
    let plan = sample.plan();
    assert!(plan.is_empty() && plan.drift.is_empty());
    sample = sample.with_changed_body("taller");
    assert!(sample.plan().transaction.number.is_some());
}

#[test]
fn a_new_release_does_not_overwrite_an_edited_odoo_conf_unseen() {
    let mut sample = edited_conf("[options]\nworkers = 4\n").with_changed_body("taller");
    insta::assert_snapshot!(sample.refusal(), @r"
    odoo.conf was edited on the server: `workers` differs, and this deploy would overwrite it
      hint: take the change into the host's file or its template, or overwrite it by `--overwrite-drift`
    ");
    sample.desired.on_drift = OnDrift::Overwrite;
    let plan = sample.plan();
    assert_eq!(drifts(&plan), ["odoo.conf was edited on the server: `workers` differs"]);
    assert!(plan.transaction.number.is_some());
}

#[test]
fn an_edit_that_was_taken_over_is_no_drift_any_more() {
    let mut sample = edited_conf("[options]\nworkers = 4\n").with_changed_body("taller");
    sample.desired.compared.odoo_conf = "# ours\n[options]\nworkers = 4\n".into();
    assert!(sample.plan().drift.is_empty());
    let mut sample = certbots_vhost();
    let vhost = sample.observed.host.vhost.clone().unwrap();
    wants_vhost(&mut sample, &vhost);
    assert!(sample.plan().is_empty());
}

#[test]
fn an_edit_of_what_does_not_change_is_left_alone_and_said() {
    let mut sample = certbots_vhost();
    let plan = sample.plan();
    assert!(plan.is_empty());
    assert_eq!(drifts(&plan), ["the vhost was edited on the server by certbot"]);
    assert_eq!(
        plan.warnings,
        [
            "the vhost was edited on the server by certbot; it is left alone (`--overwrite-drift` puts it back)"
        ]
    );
    let plan = certbots_vhost().with_changed_body("taller").plan();
    assert!(!titles(&plan).contains("vhost"));
    sample.desired.on_drift = OnDrift::Overwrite;
    assert!(titles(&sample.plan()).contains("install the vhost"));
    let plan = edited_conf("[options]\nworkers = 4\n").plan();
    assert!(plan.is_empty() && plan.diffs.is_empty() && plan.warnings.len() == 1);
}

#[test]
fn an_edited_vhost_is_not_overwritten_by_a_new_one_unseen() {
    let mut sample = certbots_vhost();
    wants_vhost(&mut sample, "server { listen 80; }\n");
    assert!(sample.refusal().starts_with("the vhost was edited on the server by certbot, and"));
    sample.desired.on_drift = OnDrift::Overwrite;
    assert!(titles(&sample.plan()).contains("install the vhost"));
}

#[test]
fn a_unit_and_its_drop_in_are_written_together_or_not_at_all() {
    let mut sample = Sample::matching();
    host(&mut sample).unit_drop_in = Some("[Unit]\n[Service]\nNice=5\n".into());
    assert!(sample.plan().is_empty());
    sample.desired.compared.unit = "[Service]\nNice=1\n".into();
    sample.desired.files.unit = "[Service]\nNice=1\n".into();
    assert!(sample.refusal().contains("the unit's drop-in was edited on the server, and"));
}

#[test]
fn a_file_that_was_removed_is_put_back() {
    let mut sample = Sample::matching();
    host(&mut sample).vhost = None;
    let plan = sample.plan();
    assert_eq!(drifts(&plan), ["the vhost was removed from the server"]);
    assert!(titles(&plan).contains("install the vhost"));
}

#[test]
fn a_secret_that_was_edited_into_a_vhost_is_not_shown() {
    let mut sample = Sample::matching();
    host(&mut sample).vhost = Some("server {}\nset $api_token geheim;\nsecret = geheim\n".into());
    let found = drift(&sample.observed.host);
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains("secret = geheim") && text.contains("********"), "{text}");
}

#[test]
fn drop_ins_of_others_are_named() {
    let mut sample = Sample::matching();
    host(&mut sample).foreign_drop_ins = vec!["/etc/systemd/system/x.d/override.conf".into()];
    let plan = sample.plan();
    assert!(plan.is_empty());
    assert_eq!(
        drifts(&plan),
        ["the unit is also changed by `/etc/systemd/system/x.d/override.conf`"]
    );
}

#[test]
fn without_copies_no_drift_of_files_can_be_told() {
    let mut sample = certbots_vhost();
    host(&mut sample).as_deployed = None;
    host(&mut sample).odoo_conf = Some("[options]\nworkers = 4\n".into());
    assert_eq!(texts(&sample), Vec::<String>::new());
    assert!(titles(&sample.plan()).contains("install the vhost"));
}

#[test]
fn a_service_that_runs_an_older_release_is_drift() {
    let mut sample = Sample::matching();
    host(&mut sample).service.release = Some(ReleaseNumber(3));
    assert_eq!(texts(&sample), ["the service still runs release 3"]);
    host(&mut sample).service.active = "failed".into();
    assert_eq!(texts(&sample), Vec::<String>::new());
}

#[test]
fn a_restart_for_somebodys_edit_is_not_ours() {
    let mut sample = edited_conf("[options]\nworkers = 4\n");
    host(&mut sample).service.older_than_conf = true;
    host(&mut sample).service.needs_daemon_reload = true;
    host(&mut sample).foreign_drop_ins = vec!["/run/x.conf".into()];
    assert_eq!(outdated(&sample.observed.host), [Outdated::Unit]);
    assert_eq!(owed(&sample.observed.host), []);
    assert!(sample.plan().is_empty());
    let mut sample = Sample::matching();
    host(&mut sample).service.older_than_conf = true;
    assert_eq!(owed(&sample.observed.host), [Outdated::OdooConf]);
}
