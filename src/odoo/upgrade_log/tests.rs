use super::*;

/// Reads a log captured from a server, some lines of libraries left out.
macro_rules! log {
    ($name:literal) => {
        UpgradeLog::read(include_str!(concat!("../../../tests/fixtures/odoo-logs/", $name, ".log")))
    };
}

#[test]
fn progress_is_read_from_single_lines() {
    let line = "2026-11-22 09:40:09,574 218 INFO acme odoo.modules.loading: ";
    let read = |message: &str| UpgradeProgress::read(&format!("{line}{message} "));
    let module = ModuleName::parse("sale").unwrap();
    assert_eq!(
        read("Loading module sale (4/15)"),
        Some(UpgradeProgress::Loading { module: module.clone(), number: 4, total: 15 })
    );
    assert_eq!(
        read("Module sale loaded in 0.25s, 59 queries (+59 other)"),
        Some(UpgradeProgress::Loaded { module, duration: Duration::from_millis(250) })
    );
    assert_eq!(read("Modules loaded."), Some(UpgradeProgress::Finished));
    assert_eq!(read("loading 15 modules..."), None);
}

#[test]
fn a_good_run_has_no_problem() {
    let log = log!("19-good");
    assert_eq!(log.problem(), None);
    assert!(log.finished && log.warnings.is_empty());
}

#[test]
fn a_failed_run_names_module_cause_and_place() {
    let logs = [
        log!("19-view-field"),
        log!("19-inherited-view"),
        log!("19-xml-syntax"),
        log!("19-xml-schema"),
        log!("19-xml-reference"),
        log!("19-csv-column"),
        log!("19-csv-reference"),
        log!("19-data-file-missing"),
        log!("19-migration-sql"),
        log!("19-migration-python"),
        log!("19-python-syntax"),
        log!("19-python-import"),
        log!("19-missing-dependency"),
        log!("19-python-dependency"),
        log!("19-unknown-comodel"),
        log!("19-lock"),
        log!("19-no-connection"),
    ];
    assert!(logs.iter().all(|log| !log.finished));
    let told: Vec<_> = logs.iter().map(|log| log.problem().unwrap_or_default()).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    failed to load `acme`: Field "nope" does not exist in model "acme.thing" (acme/views/v.xml:2)
    failed to load `acme`: Element '<xpath expr="//field[@name=&#39;nowhere&#39;]">' cannot be located in parent view (acme/views/v.xml:7)
    failed to load `acme`: XMLSyntaxError: Opening and ending tag mismatch: form line 5 and field, line 5, column 84 (acme/views/v.xml:5)
    failed to load `acme`: Element odoo has extra content: recrod, line 2 (acme/views/v.xml)
    failed to load `acme`: ValueError: External ID not found in the system: acme.nowhere (acme/views/v.xml:7)
    failed to load `acme`: ValueError: Invalid field name 'nme' (acme/data/res.partner.csv)
    failed to load `acme`: No matching record found for external id 'model_acme_nothing' in field 'Model' (acme/security/ir.model.access.csv)
    failed to load `acme`: FileNotFoundError: [Errno 2] No such file or directory: '/opt/odoo/acme.example.test/releases/0042/code/addons/acme/views/none.xml' (acme/views/none.xml)
    failed to load `acme`: column "nothing" of relation "acme_thing" does not exist (acme/migrations/19.0.1.1.0/pre-fill.py:2)
    failed to load `acme`: ValueError: no rate for ARS (acme/migrations/19.0.1.1.0/post-fill.py:2)
    failed to load `acme`: SyntaxError: invalid syntax (acme/models/thing.py:13)
    failed to load `acme`: ModuleNotFoundError: No module named 'nowhere_at_all' (acme/models/thing.py:1)
    You try to upgrade the module acme that depends on the module: acme_gone. But this module is not available in your system.
    Unable to upgrade module "acme" because an external dependency is not met: nowhere-lib
    failed to load `acme`: Field acme.thing.other_id with unknown comodel_name 'acme.nothing'
    failed to load `acme`: canceling statement due to lock timeout
    connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "odoo"
    "#);
}

#[test]
fn an_exit_status_of_zero_is_no_success() {
    let told = [log!("19-module-gone"), log!("19-unknown-module")];
    assert!(told.iter().all(|log| log.finished && log.failure.is_none()));
    let told: Vec<_> = told.iter().map(|log| log.problem().unwrap_or_default()).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    `acme` was left out: manifest not found
    no such module on the server: `doesnotexist`
    ");
}

#[test]
fn what_the_data_does_not_allow_is_a_warning() {
    let logs = [log!("19-not-null"), log!("19-unique"), log!("19-custom-view")];
    assert!(logs.iter().all(|log| log.problem().is_none() && log.finished));
    let told: Vec<_> = logs.iter().flat_map(|log| log.warnings.clone()).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    column "name" of relation "acme_thing" contains null values
    Missing not-null constraint on acme.thing.name
    could not create unique index "acme_thing_unique_name"
    invalid custom view(s) for model acme.thing: Field "gone" does not exist in model "acme.thing"
    "#);
}

#[test]
fn a_killed_run_says_where_it_was() {
    let log = log!("19-killed");
    assert!(!log.finished);
    assert_eq!(log.problem(), None);
    assert_eq!(log.last_step.as_deref(), Some("migration `pre-fill` of `acme`"));
}

#[test]
fn a_module_that_waits_for_a_new_dependency_is_not_left_out() {
    let (good, waiting) = (log!("18-good"), log!("18-new-dependency"));
    for log in [good, waiting] {
        assert!(log.finished && log.findings.is_empty(), "{:?}", log.findings);
        assert_eq!(log.problem(), None);
    }
}

#[test]
fn what_18_leaves_out_is_found_whether_it_upgrades_or_loads() {
    let logs = [log!("18-module-gone"), log!("18-load-module-gone"), log!("18-unknown-module")];
    assert!(logs.iter().all(|log| log.finished && log.failure.is_none()));
    let told: Vec<_> =
        logs.iter().flat_map(|log| log.findings.iter().map(ToString::to_string)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    `acme_extra` was left out: not installable
    `acme_more` was left out: Unmet dependencies: acme
    `acme` was left out: Unmet dependencies: acme_extra
    installed modules were not loaded, their code or a dependency is missing: `acme_extra`
    modules were left half way: `acme`, `acme_more`
    `acme_extra` was left out: not installable
    `acme` was left out: Unmet dependencies: acme_extra
    `acme_more` was left out: Unmet dependencies: acme
    installed modules were not loaded, their code or a dependency is missing: `acme`, `acme_extra`, `acme_more`
    no such module on the server: `nosuch`
    ");
    assert!(logs.iter().all(|log| log.problem().is_some()));
}

#[test]
fn loading_upgrades_a_pending_module_on_18() {
    let log = include_str!("../../../tests/fixtures/odoo-logs/18-load-pending.log");
    let upgraded: Vec<_> = log.lines().filter_map(UpgradeProgress::read).collect();
    let module = ModuleName::parse("acme_more").unwrap();
    assert_eq!(upgraded[0], UpgradeProgress::Loading { module, number: 11, total: 15 });
    assert_eq!(UpgradeLog::read(log).problem(), None, "the log alone does not tell");
}

#[test]
fn the_words_of_17_and_18_are_known() {
    let log = UpgradeLog::read(
        "2025-01-02 03:04:06,678 1 ERROR acme odoo.modules.loading: At least one test failed when loading the modules.\n\
         2025-01-02 03:04:06,678 1 ERROR acme odoo.modules.loading: Database acme not initialized, you can force it with `-i base`\n",
    );
    let told: Vec<_> = log.findings.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["tests failed", "the database holds no Odoo"]);
}

#[test]
fn a_traceback_that_odoo_survives_is_no_failure() {
    let line = "2026-11-22 09:40:09,574 218 INFO acme ";
    let trace =
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in y\nKeyError: 'z'\n";
    let begun = format!("{line}odoo.addons.x: no rates today\n{trace}");
    let log = UpgradeLog::read(&format!("{begun}{line}odoo.registry: Registry loaded in 1.0s\n"));
    assert_eq!(log.problem(), None);
    assert!(UpgradeLog::read(&begun).problem().is_some());
}
