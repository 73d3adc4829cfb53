use super::*;
use crate::odoo::Series;
use crate::plan::{Follow, RunningFrom, Step, sample::Sample};

/// Returns the way and the first reason for it.
fn way(sample: &Sample) -> (Switch, String) {
    let plan = sample.plan();
    (plan.switch, plan.reasons.first().cloned().unwrap_or_default())
}

fn with_changed_code() -> Sample {
    Sample::matching().with_changed_file("custom-addons/taller/models/order.py")
}

fn with_changed_conf() -> Sample {
    let mut sample = Sample::matching();
    sample.desired.compared.odoo_conf.push_str("limit_time_cpu = 60\n");
    sample
}

#[test]
fn a_matching_host_is_not_touched() {
    assert_eq!(way(&Sample::matching()), (Switch::Nothing, String::new()));
}

#[test]
fn a_commit_that_changes_nothing_that_runs_is_not_deployed() {
    for path in ["README.md", "config/hosts/other.conf", "custom-addons/taller/tests/test_a.py"] {
        let sample = Sample::matching().with_changed_file(path);
        assert_eq!(way(&sample).0, Switch::Nothing, "{path}");
    }
}

#[test]
fn odoo_19_with_workers_reloads_for_code() {
    assert_eq!(way(&with_changed_code()), (Switch::Reload, "1 file changed".into()));
    let statics = Sample::matching().with_changed_file("custom-addons/taller/static/src/app.js");
    assert_eq!(way(&statics).0, Switch::Reload);
    assert_eq!(way(&Sample::matching().with_changed_body("taller")).0, Switch::Reload);
}

#[test]
fn odoo_19_with_workers_reloads_for_odoo_conf_and_the_page() {
    assert_eq!(way(&with_changed_conf()), (Switch::Reload, "odoo.conf changes".into()));
    let mut sample = Sample::matching();
    sample.desired.compared.maintenance_page = "<html>new".into();
    assert_eq!(way(&sample), (Switch::Reload, "the maintenance page changes".into()));
}

/// Has the sample run another series.
fn on(series: Series, mut sample: Sample) -> Sample {
    sample.desired.service.series = series;
    sample.observed.server.odoo_version = Ok(format!("Odoo Server {series}"));
    sample
}

/// Returns how Odoo follows `current`, and whether the maintenance page is shown.
fn followed(sample: &Sample) -> (Option<Follow>, bool) {
    let steps = sample.plan().transaction.carry_out;
    let follow = steps.iter().find_map(|step| match step {
        Step::Switch { follow, .. } => Some(*follow),
        _ => None,
    });
    (follow, steps.contains(&Step::ShowMaintenance))
}

#[test]
fn a_series_that_does_not_reload_restarts_behind_no_page() {
    for series in [Series::V17, Series::V18] {
        let code = on(series, with_changed_code());
        let reason = format!("1 file changed; Odoo {series} restarts");
        assert_eq!(way(&code), (Switch::Restart, reason));
        assert_eq!(followed(&code), (Some(Follow::Restart), false), "{series}");
        let conf = on(series, with_changed_conf());
        let reason = format!("odoo.conf changes; Odoo {series} restarts");
        assert_eq!(way(&conf), (Switch::Restart, reason));
    }
    let code = on(Series::V19, with_changed_code());
    assert_eq!(followed(&code), (Some(Follow::Reload), false));
}

#[test]
fn an_upgrade_stops_and_a_matching_host_rests_on_every_series() {
    for series in Series::ALL {
        let upgrade = on(series, Sample::matching().with_upgrade_of("taller"));
        assert_eq!(way(&upgrade).0, Switch::Stop, "{series}");
        assert_eq!(way(&on(series, Sample::matching())).0, Switch::Nothing, "{series}");
    }
}

#[test]
fn a_threaded_odoo_restarts() {
    let mut sample = with_changed_code();
    sample.desired.service.has_workers = false;
    sample.desired.network.gevent_port = None;
    assert_eq!(
        way(&sample),
        (Switch::Restart, "1 file changed; Odoo without workers restarts".into())
    );
}

#[test]
fn another_port_or_interface_restarts() {
    let reason = "odoo.conf changes; what Odoo listens on changes".to_owned();
    let mut port = with_changed_conf();
    port.desired.network.http_port = 8169;
    let mut gevent_port = with_changed_conf();
    gevent_port.desired.network.gevent_port = Some(8172);
    let mut interface = with_changed_conf();
    interface.desired.network.interface = "0.0.0.0".into();
    for sample in [port, gevent_port, interface] {
        assert_eq!(way(&sample), (Switch::Restart, reason.clone()));
    }
}

#[test]
fn workers_to_or_from_zero_restart() {
    let mut to_zero = with_changed_conf();
    to_zero.desired.service.has_workers = false;
    to_zero.desired.network.gevent_port = None;
    assert_eq!(way(&to_zero).0, Switch::Restart);
    let mut from_zero = with_changed_conf();
    from_zero.observed.host.releases[0].record.health.gevent_port = None;
    assert_eq!(way(&from_zero).0, Switch::Restart);
}

#[test]
fn a_service_that_does_not_run_is_started() {
    for state in ["inactive", "failed"] {
        let mut sample = Sample::matching();
        sample.observed.host.service.active = state.into();
        assert_eq!(way(&sample), (Switch::Restart, format!("the service is {state}")));
    }
}

#[test]
fn another_unit_or_drop_in_stops() {
    let mut unit = Sample::matching();
    unit.desired.compared.unit.push_str("Nice=5\n");
    let mut drop_in = Sample::matching();
    drop_in.desired.compared.unit_drop_in.push_str("After=postgresql.service\n");
    for sample in [unit, drop_in] {
        assert_eq!(way(&sample), (Switch::Stop, "the unit changes".into()));
    }
}

#[test]
fn an_upgrade_stops() {
    let sample = Sample::matching().with_upgrade_of("taller");
    assert_eq!(way(&sample), (Switch::Stop, "1 module of acme-prod to upgrade".into()));
}

#[test]
fn a_vhost_alone_leaves_odoo_as_it_runs() {
    let mut sample = Sample::matching();
    sample.desired.compared.vhost = Some("server { listen 80; }\n".into());
    assert_eq!(way(&sample), (Switch::Vhost, "the vhost changes".into()));
    sample.desired.compared.vhost = None;
    assert_eq!(way(&sample).0, Switch::Vhost);
}

#[test]
fn the_greatest_need_decides_and_every_reason_is_told() {
    let mut sample = with_changed_conf().with_upgrade_of("taller");
    sample.desired.compared.vhost = Some("server { listen 80; }\n".into());
    insta::assert_snapshot!(sample.plan().reasons.join("\n"), @r"
    1 module of acme-prod to upgrade
    1 file changed
    odoo.conf changes
    the vhost changes
    ");
}

#[test]
fn a_first_release_stops_what_runs() {
    let plan = Sample::first_deploy().plan();
    assert_eq!(plan.switch, Switch::Stop);
    assert_eq!(plan.reasons[..2], ["the unit is new", "this is the first release"]);
}

#[test]
fn a_live_release_without_a_record_counts_as_the_first() {
    let mut sample = Sample::matching();
    sample.observed.host.current = Some(RunningFrom::Release(crate::layout::ReleaseNumber(3)));
    assert_eq!(way(&sample), (Switch::Stop, "this is the first release".into()));
}

#[test]
fn a_live_tree_that_cannot_be_had_is_taken_as_changed() {
    let mut sample = Sample::matching();
    sample.desired.changes = None;
    assert_eq!(way(&sample), (Switch::Reload, "the live release cannot be compared".into()));
}
