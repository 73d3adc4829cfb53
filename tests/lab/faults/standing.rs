//! How a host stands, told by what it holds, and what is wrong with it after a fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use super::{
    editions::{self, Edition},
    writer::MARK,
};
use crate::{
    content::{business_content, database_content},
    lab::{Server, ask},
    world::{DATABASE, HOST},
};

/// How long a host may take to come to rest by itself.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long to wait between looks.
const REST: Duration = Duration::from_millis(300);

/// Tells what is still at work, one line each; nothing where the host has come to rest.
const AT_WORK: &str = r#"
    systemctl list-units --all --plain --no-legend 'deploytx-*' 'deployrc-*' 'deployup-*' 'deployld-*'
    state=$(systemctl show --value --property ActiveState deploy-recover.service)
    [ "$state" = inactive ] || echo "deploy-recover.service is $state"
    [ ! -e $BASE/deploy.lock ] || flock -n $BASE/deploy.lock true || echo "the lock is held"
    [ ! -e $BASE/hold ] || echo "the hold is there"
    [ ! -e $BASE/maintenance ] || echo "the maintenance page is up"
    for journal in $BASE/journal/*/journal; do
      case $(tr -d '\0' <$journal | tail -n 1) in
        '{"entry":"end"'*) ;;
        *) echo "$journal has no end" ;;
      esac
    done
    state=$(systemctl show --value --property ActiveState odoo-$HOST.service)
    [ "$state" = active ] || echo "odoo-$HOST.service is $state"
"#;

/// Tells what else must not be there.
const LEFT: &str = r#"
    pgrep -af 'deploy agent (transaction|recover)|--stop-after-init' | sed 's/^/process /'
    systemctl list-units --state=failed --plain --no-legend | sed 's/^/unit /'
"#;

/// What the host holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The release that `current` names.
    pub(super) release: Option<u32>,
    pub(super) odoo_conf: String,
    /// Which edition each part is of.
    pub(super) parts: BTreeSet<String>,
    /// A line for each table of the database, but for the writer's.
    tables: BTreeMap<String, String>,
    /// A line for each sequence. They may run ahead after a power cut.
    sequences: BTreeMap<String, String>,
    /// A line for each table of users' business, whatever is upgraded.
    business: BTreeMap<String, String>,
    /// The repairs that are not the writer's.
    repairs: String,
}

/// Waits until the host has come to rest and serves, without any command of ours.
///
/// # Errors
/// Returns what is still at work where it never does.
pub(super) fn settle(server: &Server) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let at_work = ask_server(server, AT_WORK);
        let served = ask(server.address(), HOST, "/web/login").map(|page| page.status);
        if at_work.is_empty() && served == Ok(200) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("never came to rest: {at_work}/web/login: {served:?}"));
        }
        thread::sleep(REST);
    }
}

/// Lists what a host at rest must not have or lack, one line each.
pub(super) fn leftovers(server: &Server) -> Vec<String> {
    let mut left: Vec<_> = ask_server(server, LEFT).lines().map(str::to_owned).collect();
    let sql = format!(
        "SELECT 'database ' || datname || ' lets in' FROM pg_database
          WHERE datallowconn AND NOT datistemplate AND datname NOT IN ('postgres', '{DATABASE}');
         SELECT 'database {DATABASE} lets nobody in' FROM pg_database
          WHERE NOT datallowconn AND datname = '{DATABASE}';
         SELECT 'session ' || application_name FROM pg_stat_activity
          WHERE application_name ~ '^odoo-(deploy|recover)';
         SELECT 'databases: ' || string_agg(datname, ' ') FROM pg_database
          HAVING NOT 'demo' = ANY (array_agg(datname))"
    );
    left.extend(server.psql("postgres", &sql).lines().map(str::to_owned));
    left.extend(missing_files(server));
    left
}

/// Lists the attachments whose file is not there, or not whole. Bundles of assets are
/// left out: Odoo makes them anew.
fn missing_files(server: &Server) -> Vec<String> {
    let sql = "SELECT store_fname, file_size, coalesce(res_model, '') || ' ' || name
                 FROM ir_attachment
                WHERE store_fname IS NOT NULL AND (url IS NULL OR url NOT LIKE '/web/assets/%')";
    let store = server.path(format!("/var/lib/odoo/{HOST}/filestore/{DATABASE}"));
    let is_missing = |line: &&str| {
        let mut columns = line.split('|');
        let file = store.join(columns.next().expect("every line has a column"));
        let size = columns.next().and_then(|size| size.parse().ok());
        fs::metadata(file).map(|file| file.len()).ok() != size
    };
    let attachments = server.psql(DATABASE, sql);
    assert!(attachments.lines().count() > 10, "{attachments}");
    let missing = attachments.lines().filter(is_missing);
    missing.map(|line| format!("attachment without its file: {line}")).collect()
}

impl Standing {
    /// Looks at a host at rest.
    pub(super) fn look(server: &Server) -> Self {
        let base = server.path(format!("/opt/odoo/{HOST}"));
        let current = fs::read_link(base.join("current")).unwrap_or_default();
        let release = current.file_name().and_then(|name| name.to_str()?.parse().ok());
        let (sequences, tables) = lines(&database_content(server, DATABASE))
            .into_iter()
            .partition(|(_, rest)| rest.ends_with("|t") || rest.ends_with("|f"));
        let repairs = format!(
            "SELECT name, partner_id, device, serial_number, problem, received_on, state
               FROM taller_repair_order WHERE name NOT LIKE '{MARK}%' ORDER BY id"
        );
        Self {
            release,
            odoo_conf: fs::read_to_string(base.join("current/odoo.conf")).unwrap_or_default(),
            parts: editions::parts(server),
            tables,
            sequences,
            business: lines(&business_content(server, DATABASE)),
            repairs: server.psql(DATABASE, &repairs),
        }
    }

    /// Lists where the host is not exactly as it was.
    pub(super) fn differences(&self, before: &Self, sequences: Sequences) -> Vec<String> {
        let mut differ = Vec::new();
        if (self.release, &self.odoo_conf) != (before.release, &before.odoo_conf) {
            differ.push(format!("release {:?} and not {:?}", self.release, before.release));
        }
        if self.parts != before.parts {
            differ.push(format!("{:?} and not {:?}", self.parts, before.parts));
        }
        differ.extend(changed(&before.tables, &self.tables));
        if sequences == Sequences::Exact {
            differ.extend(changed(&before.sequences, &self.sequences));
        }
        if self.repairs != before.repairs {
            differ.push(format!("repairs {} and not {}", self.repairs, before.repairs));
        }
        differ
    }

    /// Tells whether odoo.conf is the one of another release, but for what differs
    /// between releases and editions.
    pub(super) fn has_odoo_conf_of(&self, before: &Self, from: Edition, to: Edition) -> bool {
        let (Some(old), Some(new)) = (before.release, self.release) else { return false };
        let expected = editions::odoo_conf(&before.odoo_conf, (old, from), (new, to));
        old != new && self.odoo_conf == expected
    }

    /// Gives the same content the number and the odoo.conf of another release.
    pub(super) fn renumbered_as(self, other: &Self) -> Self {
        Self { release: other.release, odoo_conf: other.odoo_conf.clone(), ..self }
    }

    /// Lists where users' business is not as it was, whatever was upgraded.
    pub(super) fn lost(&self, before: &Self) -> Vec<String> {
        let mut lost = changed(&before.business, &self.business);
        if self.repairs != before.repairs {
            lost.push(format!("repairs {} and not {}", self.repairs, before.repairs));
        }
        lost
    }
}

/// Whether sequences must be where they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequences {
    /// To the number.
    Exact,
    /// PostgreSQL logs them some numbers ahead: after a power cut it goes on there.
    Ahead,
}

/// Reads a database's content, but for the table of the writer.
fn lines(content: &str) -> BTreeMap<String, String> {
    let lines = content.lines().filter_map(|line| line.split_once('|'));
    let others = lines.filter(|(name, _)| !name.starts_with("taller_repair_order"));
    others.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ
        .map(|name| format!("{name}: {:?} and not {:?}", after.get(name), before.get(name)))
        .collect()
}

fn ask_server(server: &Server, script: &str) -> String {
    let script = format!("HOST={HOST}; BASE=/opt/odoo/$HOST; shopt -s nullglob\n{script}\ntrue");
    server.script(&script).ok()
}
