//! Why a snapshot could not be taken, said before anything is stopped.

use serde::Deserialize;

use crate::host::DatabaseName;

use super::{
    Call, Postgres, PostgresError, quote_literal,
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

impl Postgres {
    /// Names everything that stands in the way of copying this database and of
    /// renaming it later; nothing, where the way is free.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached, or has no such database.
    pub fn snapshot_obstacles(
        &self,
        database: &DatabaseName,
    ) -> Result<Vec<String>, PostgresError> {
        let (properties, circumstances) = self.ask_both(database)?;
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
            return Ok(obstacles);
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
        Ok(obstacles)
    }

    /// Asks both questions in one run of psql.
    fn ask_both(
        &self,
        database: &DatabaseName,
    ) -> Result<(Properties, Circumstances), PostgresError> {
        let name = database.as_str();
        let sql = format!("{}\n{}", properties_sql(name), circumstances_sql(database));
        let values = self.values(&Call::cluster("check database", name), &sql)?;
        let unreadable = |source| PostgresError::Answer { database: name.to_owned(), source };
        let Ok([properties, circumstances]) = <[_; 2]>::try_from(values) else {
            return Err(PostgresError::Missing(name.to_owned()));
        };
        Ok((
            serde_json::from_value(properties).map_err(unreadable)?,
            serde_json::from_value(circumstances).map_err(unreadable)?,
        ))
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
         WHERE d.datname = {name};"
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
