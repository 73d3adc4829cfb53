//! Why a snapshot could not be taken, said before anything is stopped.

use serde::Deserialize;

use crate::host::DatabaseName;

use super::{
    Postgres, quote_literal,
    replay::{Properties, properties_sql},
};

#[derive(Debug, Deserialize)]
struct Circumstances {
    role: String,
    owner: String,
    /// Whether the connecting role has the owner's rights.
    owns: bool,
    may_create: bool,
    valid: bool,
    prepared_transactions: Vec<String>,
    slots: Vec<String>,
    subscriptions: u32,
    /// Sessions that the connecting role may not end.
    immune_sessions: Vec<String>,
}

/// What is asked of each database; nothing of one that is not there.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    properties: Option<Properties>,
    circumstances: Option<Circumstances>,
}

impl Postgres {
    /// Names everything that stands in the way of copying a database and of renaming it
    /// later; none where it is not there.
    pub(super) fn obstacles(&self, database: &DatabaseName, answer: Answer) -> Option<Vec<String>> {
        let (properties, circumstances) = (answer.properties?, answer.circumstances?);
        let mut obstacles = circumstances.obstacles(database);
        let privileged: Vec<_> = properties
            .settings
            .iter()
            .filter(|setting| setting.needs_superuser)
            .map(|setting| match &setting.role {
                None => format!("`{}`", setting.name),
                Some(role) => format!("`{}` of role `{role}`", setting.name),
            })
            .collect();
        let immune = &circumstances.immune_sessions;
        if (privileged.is_empty() && immune.is_empty()) || self.superuser().is_some() {
            return Some(obstacles);
        }
        if !privileged.is_empty() {
            obstacles.push(format!(
                "only a superuser can copy these settings of database `{database}`: {}",
                privileged.join(", ")
            ));
        }
        if !immune.is_empty() {
            obstacles.push(format!(
                "only a superuser can end these sessions on database `{database}`: {}",
                immune.join(", ")
            ));
        }
        Some(obstacles)
    }
}

impl Circumstances {
    fn obstacles(&self, database: &DatabaseName) -> Vec<String> {
        let Self { role, owner, .. } = self;
        let mut obstacles = Vec::new();
        if !self.owns {
            obstacles.push(format!(
                "database `{database}` belongs to role `{owner}`, and `{role}` lacks its rights"
            ));
        }
        if !self.may_create {
            obstacles.push(format!("role `{role}` may not create databases (CREATEDB)"));
        }
        if !self.valid {
            obstacles.push(format!("database `{database}` is what an interrupted DROP left"));
        }
        if !self.prepared_transactions.is_empty() {
            obstacles.push(format!(
                "prepared transactions are open in database `{database}`: {}",
                self.prepared_transactions.join(", ")
            ));
        }
        if !self.slots.is_empty() {
            obstacles.push(format!(
                "logical replication would follow the failed database, not the name `{database}`: \
                 slots {}",
                self.slots.join(", ")
            ));
        }
        if self.subscriptions > 0 {
            obstacles.push(format!(
                "database `{database}` subscribes to a publication, which a copy does not"
            ));
        }
        obstacles
    }
}

/// Asks both questions about a database in one statement, which always has one answer.
pub(super) fn question_sql(database: &DatabaseName) -> String {
    let (properties, circumstances) =
        (properties_sql(database.as_str()), circumstances_sql(database));
    format!(
        "SELECT json_build_object('properties', ({properties}), \
         'circumstances', ({circumstances}));\n"
    )
}

fn circumstances_sql(database: &DatabaseName) -> String {
    let name = quote_literal(database.as_str());
    // PostgreSQL marks a database whose DROP was interrupted by the limit -2.
    format!(
        "SELECT json_build_object('role', me.rolname, 'owner', pg_get_userbyid(d.datdba), \
           'owns', pg_has_role(me.oid, d.datdba, 'USAGE'), \
           'may_create', me.rolcreatedb OR me.rolsuper, 'valid', d.datconnlimit <> -2, \
           'prepared_transactions', (SELECT coalesce(json_agg(gid), '[]') \
             FROM pg_prepared_xacts WHERE database = d.datname), \
           'slots', (SELECT coalesce(json_agg(slot_name), '[]') \
             FROM pg_replication_slots WHERE database = d.datname AND NOT temporary), \
           'subscriptions', (SELECT count(*) FROM pg_subscription WHERE subdbid = d.oid), \
           'immune_sessions', (SELECT coalesce(json_agg(format('%s (%s, process %s)', \
               a.usename, a.application_name, a.pid)), '[]') \
             FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid \
             WHERE a.datid = d.oid AND NOT me.rolsuper AND (r.rolsuper OR NOT ( \
               pg_has_role(me.oid, a.usesysid, 'USAGE') \
               OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))))) \
         FROM pg_database d, (SELECT * FROM pg_roles WHERE rolname = current_user) me \
         WHERE d.datname = {name}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_obstacle_is_named() {
        let free = Circumstances {
            role: "odoo".to_owned(),
            owner: "odoo".to_owned(),
            owns: true,
            may_create: true,
            valid: true,
            prepared_transactions: Vec::new(),
            slots: Vec::new(),
            subscriptions: 0,
            immune_sessions: Vec::new(),
        };
        let database = DatabaseName::parse("acme").unwrap();
        assert!(free.obstacles(&database).is_empty());
        let blocked = Circumstances {
            owns: false,
            may_create: false,
            valid: false,
            prepared_transactions: vec!["x".to_owned()],
            slots: vec!["y".to_owned()],
            subscriptions: 1,
            ..free
        };
        assert_eq!(blocked.obstacles(&database).len(), 6);
    }
}
