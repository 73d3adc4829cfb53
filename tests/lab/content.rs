//! What a database holds, as one text to compare.

use super::lab::Server;

/// Tables that a running Odoo changes although nobody changed anything.
const LEFT_OUT: &[&str] = &[
    // Messages to browsers, deleted after a minute.
    "bus_bus",
    "bus_presence",
    // How far scheduled jobs are, and when they are woken.
    "ir_cron_progress",
    "ir_cron_trigger",
    // Logs.
    "ir_logging",
    "ir_profile",
    // Who was seen when.
    "res_users_log",
    "res_device_log",
    "mail_presence",
    // Rows by which the processes of one Odoo tell each other to forget what they cached.
    "orm_signaling_assets",
    "orm_signaling_default",
    "orm_signaling_groups",
    "orm_signaling_registry",
    "orm_signaling_routing",
    "orm_signaling_stable",
    "orm_signaling_templates",
];

/// Sequences that move with what is left out: asset bundles are attachments.
const SEQUENCES_LEFT_OUT: &[&str] = &["ir_attachment_id_seq"];

/// When a scheduled job ran last and is due next.
const CRON_TIMING: &str = "nextcall,lastcall,failure_count,first_failure_date,write_date,write_uid";

/// Lists every table with the number of its rows and a checksum of what they
/// hold, and every sequence with its value. The same database gives the same
/// text while Odoo runs and pages are read.
pub(crate) fn database_content(server: &Server, database: &str) -> String {
    let left_out = quoted(LEFT_OUT);
    let sequences: Vec<_> = LEFT_OUT.iter().map(|table| format!("{table}_id_seq")).collect();
    let sequences: Vec<_> = sequences.iter().map(String::as_str).collect();
    let sequences = quoted(&[SEQUENCES_LEFT_OUT, &sequences].concat());
    let sql = format!(
        "SELECT format(
           'SELECT %L, count(*), md5(string_agg(h, '''' ORDER BY h))
              FROM (SELECT md5(%s) h FROM %I.%I t %s) x',
           tablename,
           CASE tablename
             WHEN 'ir_cron' THEN '(to_jsonb(t) - ''{{{CRON_TIMING}}}''::text[])::text'
             ELSE 't::text' END,
           schemaname, tablename,
           CASE tablename
             -- Bundles of assets are built when a page is first read.
             WHEN 'ir_attachment' THEN 'WHERE url IS NULL OR url NOT LIKE ''/web/assets/%'''
             ELSE '' END)
         FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
           AND tablename NOT IN ({left_out})
         ORDER BY schemaname, tablename
         \\gexec
         SELECT format('SELECT %L, last_value, is_called FROM %I.%I',
                       sequencename, schemaname, sequencename)
         FROM pg_sequences WHERE sequencename NOT IN ({sequences})
         ORDER BY schemaname, sequencename
         \\gexec
"
    );
    server.psql(database, &sql)
}

/// Tables that belong to the modules: an upgrade may write into any row.
const MODULES_OWN: &[&str] = &["ir_", "res_groups", "rule_group_rel", "module_", "report_"];

/// Lists the same of the tables that hold users' business, without the dates of
/// their last change: an upgrade must leave it alone, but touches some rows.
pub(crate) fn business_content(server: &Server, database: &str) -> String {
    let left_out = quoted(LEFT_OUT);
    let own: Vec<_> =
        MODULES_OWN.iter().map(|start| format!("starts_with(tablename, '{start}')")).collect();
    let own = own.join(" OR ");
    let sql = format!(
        "SELECT format(
           'SELECT %L, count(*), md5(string_agg(h, '''' ORDER BY h))
              FROM (SELECT md5((to_jsonb(t) - ''{{write_date,write_uid}}''::text[])::text) h
                      FROM %I.%I t) x',
           tablename, schemaname, tablename)
         FROM pg_tables
         WHERE schemaname = 'public' AND tablename NOT IN ({left_out}) AND NOT ({own})
         ORDER BY tablename
         \\gexec
"
    );
    server.psql(database, &sql)
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}
