//! The odoo.conf that a deploy key brings. Odoo reads it as the host's own user; what root
//! reads in it stays as it is. Pure.

use std::path::Path;

use super::Refusal;
use crate::host::{HostFile, KEPT};

/// What the agent, which is root, reads of an odoo.conf, or works on because of it.
const PINNED: [&str; 6] = ["data_dir", "logfile", "pidfile", "db_host", "db_port", "db_user"];

/// Checks the new odoo.conf against the live one.
pub(super) fn check(new: &str, keep: &[String], live: &str) -> Result<(), Refusal> {
    for key in keep {
        let plain = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if key.is_empty() || !plain {
            return Err(Refusal::forged(format!("`keep` names `{}`", key.escape_debug())));
        }
    }
    let (new_options, live_options) = (options(new)?, options(live)?);
    for key in PINNED {
        let (asked, there) = (new_options.get(key), live_options.get(key));
        let asked = asked.map(|setting| setting.value.as_str());
        let there = there.map(|setting| setting.value.as_str());
        let stays = keep.iter().any(|kept| kept == key) && asked == Some(KEPT);
        let once = new.matches(&format!("\n{key} = {KEPT}\n")).count() == 1;
        if asked == there || (stays && once) {
            continue;
        }
        let shown = |value: Option<&str>| value.map_or("not set".into(), |v| format!("`{v}`"));
        return Err(Refusal::needs_full_login(format!(
            "`{key}` of odoo.conf would change from {} to {}",
            shown(there),
            shown(asked)
        )));
    }
    Ok(())
}

fn options(text: &str) -> Result<indexmap::IndexMap<String, crate::host::Setting>, Refusal> {
    // Python takes a lone carriage return for the end of a line.
    if text.contains('\r') || text.contains('\0') {
        return Err(Refusal::forged("odoo.conf has a character that no renderer writes"));
    }
    let file = HostFile::parse(Path::new("odoo.conf"), text.as_bytes())
        .map_err(|_| Refusal::forged("odoo.conf cannot be read"))?;
    Ok(file.effective("options").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "[options]\ndb_name = acme\ndb_host = 10.0.0.9\ndata_dir = /var/lib/odoo/a\n\
                        logfile = /var/log/odoo/a.log\n";

    fn refusal(new: &str, keep: &[&str]) -> Option<String> {
        let keep: Vec<_> = keep.iter().map(|key| (*key).to_owned()).collect();
        check(new, &keep, LIVE).err().map(|refusal| refusal.message)
    }

    #[test]
    fn what_only_odoo_reads_may_change() {
        let new = format!("{LIVE}workers = 8\nlimit_time_cpu = 1\n[queue_job]\nlogfile = /x\n");
        assert_eq!(refusal(&new, &[]), None);
    }

    #[test]
    fn what_root_reads_stays_however_it_is_written() {
        let attempts = [
            LIVE.replace("/var/log/odoo/a.log", "/etc/shadow"),
            LIVE.replace("logfile", "; logfile"),
            LIVE.replace("logfile = ", "LOGFILE = /x\n    "),
            LIVE.replace("/var/lib/odoo/a", "/var/lib/odoo/b"),
            LIVE.replace("10.0.0.9", "/tmp/mine"),
            format!("{LIVE}pidfile = /etc/cron.d/x\n"),
            format!("{LIVE}db_user = postgres\n"),
            format!("{LIVE}x = 1\rdb_user = postgres\n"),
            format!("[DEFAULT]\npidfile = /x\n{LIVE}"),
            format!("{LIVE}\u{feff}[options"),
        ];
        for attempt in attempts {
            assert!(refusal(&attempt, &[]).is_some(), "{attempt}");
        }
    }

    #[test]
    fn a_kept_value_is_the_servers_own() {
        let kept = LIVE.replace("10.0.0.9", KEPT);
        assert_eq!(refusal(&kept, &["db_host"]), None);
        assert!(refusal(&kept, &[]).is_some());
        // Only the first placeholder is filled in, which here is another section's.
        let twice = format!("[x]\ndb_host = {KEPT}\n{kept}");
        assert!(refusal(&twice, &["db_host"]).is_some());
        assert!(refusal(LIVE, &["a\nb"]).is_some());
    }
}
