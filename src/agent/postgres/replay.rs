//! What `CREATE DATABASE … TEMPLATE` does not copy.

use serde::Deserialize;

use super::{
    Call, Postgres, PostgresError,
    quote::{quote_identifier, quote_literal},
};

/// The properties of a database that lie outside of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Properties {
    pub(super) owner: String,
    pub(super) size: u64,
    pub(super) server_version: u32,
    pub(super) connection_limit: i32,
    pub(super) collation_version: Option<String>,
    pub(super) comment: Option<String>,
    /// None: nobody ever granted or revoked anything.
    pub(super) grants: Option<Vec<Grant>>,
    pub(super) settings: Vec<DatabaseSetting>,
}

/// One privilege; the grantee is none for `PUBLIC`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Grant {
    grantee: Option<String>,
    privilege: String,
    grantable: bool,
}

/// `ALTER DATABASE … SET`, or with a role `ALTER ROLE … IN DATABASE … SET`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DatabaseSetting {
    pub(super) role: Option<String>,
    pub(super) name: String,
    value: String,
    pub(super) needs_superuser: bool,
}

/// Statements by who must run them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Replay {
    pub(super) owner: Vec<String>,
    pub(super) superuser: Vec<String>,
}

/// The settings whose value is a list of names (`GUC_LIST_QUOTE` in
/// PostgreSQL's sources): they are stored quoted, and quoting them once more
/// would make one name of the list.
const NAME_LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

impl Postgres {
    pub(super) fn properties(&self, database: &str) -> Result<Properties, PostgresError> {
        let sql = properties_sql(database);
        let call = Call::cluster("read the properties of database", database);
        let text = self.execute(&call, &sql)?;
        if text.trim().is_empty() {
            return Err(PostgresError::Missing(database.to_owned()));
        }
        serde_json::from_str(&text)
            .map_err(|source| PostgresError::Answer { database: database.to_owned(), source })
    }
}

/// Asks for everything of a database that a copy of it lacks.
pub(super) fn properties_sql(database: &str) -> String {
    // A parameter that this role cannot see in pg_settings, or that only a
    // superuser may change, only a superuser may set for a database.
    format!(
        "SELECT json_build_object('owner', pg_get_userbyid(d.datdba), \
           'size', pg_database_size(d.oid), \
           'server_version', current_setting('server_version_num')::int, \
           'connection_limit', d.datconnlimit, \
           'collation_version', to_jsonb(d)->>'datcollversion', \
           'comment', shobj_description(d.oid, 'pg_database'), \
           'grants', CASE WHEN d.datacl IS NOT NULL THEN \
             (SELECT coalesce(json_agg(json_build_object('grantee', r.rolname, \
                'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]') \
              FROM aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee) END, \
           'settings', (SELECT coalesce(json_agg(json_build_object('role', r.rolname, \
               'name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1), \
               'needs_superuser', NOT me.rolsuper AND (s.setrole NOT IN (0, me.oid) \
                 OR NOT EXISTS (SELECT FROM pg_settings p \
                   WHERE lower(p.name) = lower(split_part(c, '=', 1)) \
                   AND p.context IN ('user', 'backend'))))), '[]') \
             FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c \
             LEFT JOIN pg_roles r ON r.oid = s.setrole, \
             (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user) me \
             WHERE s.setdatabase = d.oid)) \
         FROM pg_database d WHERE d.datname = {}",
        quote_literal(database)
    )
}

impl Properties {
    /// Returns the statements that give a copy what it lacks.
    pub(super) fn replay(&self, copy: &str) -> Replay {
        let copy = quote_identifier(copy);
        let mut replay = Replay::default();
        if let Some(comment) = &self.comment {
            let comment = quote_literal(comment);
            replay.owner.push(format!("COMMENT ON DATABASE {copy} IS {comment};"));
        }
        for setting in &self.settings {
            let statements =
                if setting.needs_superuser { &mut replay.superuser } else { &mut replay.owner };
            statements.push(setting.statement(&copy));
        }
        // Last, since a revoked privilege may be one that the statements above need.
        if let Some(grants) = &self.grants {
            let owner = quote_identifier(&self.owner);
            replay.owner.push(format!("REVOKE ALL ON DATABASE {copy} FROM PUBLIC, {owner};"));
            replay.owner.extend(grants.iter().map(|grant| grant.statement(&copy)));
        }
        replay
    }
}

impl Grant {
    /// The grantor becomes the owner, whoever it was: nobody can grant in
    /// another's name, and what is allowed is the same.
    fn statement(&self, copy: &str) -> String {
        let Self { privilege, grantee, grantable } = self;
        let grantee =
            grantee.as_ref().map_or_else(|| "PUBLIC".to_owned(), |role| quote_identifier(role));
        let option = if *grantable { " WITH GRANT OPTION" } else { "" };
        format!("GRANT {privilege} ON DATABASE {copy} TO {grantee}{option};")
    }
}

impl DatabaseSetting {
    fn statement(&self, copy: &str) -> String {
        let name = quote_identifier(&self.name);
        let value = if NAME_LISTS.contains(&self.name.to_ascii_lowercase().as_str()) {
            let names: Vec<_> = split_names(&self.value).iter().map(|n| quote_literal(n)).collect();
            if names.is_empty() { "''".to_owned() } else { names.join(", ") }
        } else {
            quote_literal(&self.value)
        };
        match &self.role {
            None => format!("ALTER DATABASE {copy} SET {name} TO {value};"),
            Some(role) => {
                let role = quote_identifier(role);
                format!("ALTER ROLE {role} IN DATABASE {copy} SET {name} TO {value};")
            }
        }
    }
}

/// Splits `"$user", public` at the commas that are not quoted.
fn split_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut seen = false;
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => {
                quoted = !quoted;
                seen = true;
            }
            ',' if !quoted => {
                names.push(std::mem::take(&mut name));
                seen = false;
            }
            space if !quoted && space.is_whitespace() => {}
            other => name.push(other),
        }
    }
    if seen || !name.is_empty() || !names.is_empty() {
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties() -> Properties {
        serde_json::from_value(serde_json::json!({
            "owner": "odoo", "size": 1, "server_version": 170_000,
            "connection_limit": -1, "collation_version": null, "comment": null,
            "grants": null, "settings": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_plain_database_needs_no_replay() {
        assert_eq!(properties().replay("acme~snap-1"), Replay::default());
    }

    #[test]
    fn privileges_are_granted_from_nothing() {
        let grant = |grantee: Option<&str>, privilege: &str, grantable| Grant {
            grantee: grantee.map(str::to_owned),
            privilege: privilege.to_owned(),
            grantable,
        };
        let grants =
            vec![grant(None, "TEMPORARY", false), grant(Some("report\"s"), "CONNECT", true)];
        let replay = Properties { grants: Some(grants), ..properties() }.replay("a~snap-1");
        assert_eq!(
            replay.owner,
            [
                "REVOKE ALL ON DATABASE \"a~snap-1\" FROM PUBLIC, \"odoo\";",
                "GRANT TEMPORARY ON DATABASE \"a~snap-1\" TO PUBLIC;",
                "GRANT CONNECT ON DATABASE \"a~snap-1\" TO \"report\"\"s\" WITH GRANT OPTION;",
            ]
        );
    }

    #[test]
    fn settings_go_to_whoever_may_make_them() {
        let setting = |role: Option<&str>, name: &str, value: &str| DatabaseSetting {
            role: role.map(str::to_owned),
            name: name.to_owned(),
            value: value.to_owned(),
            needs_superuser: role.is_some(),
        };
        let settings = vec![
            setting(None, "search_path", "\"$user\", public"),
            setting(Some("report"), "work_mem", "64MB"),
        ];
        let replay = Properties { settings, ..properties() }.replay("a~snap-1");
        assert_eq!(
            replay.owner,
            ["ALTER DATABASE \"a~snap-1\" SET \"search_path\" TO '$user', 'public';"]
        );
        assert_eq!(
            replay.superuser,
            ["ALTER ROLE \"report\" IN DATABASE \"a~snap-1\" SET \"work_mem\" TO '64MB';"]
        );
    }

    #[test]
    fn a_list_of_names_is_split_outside_of_quotes() {
        assert_eq!(split_names("\"$user\", public"), ["$user", "public"]);
        assert_eq!(split_names("\"a,\"\"b\", c"), ["a,\"b", "c"]);
        assert_eq!(split_names("\"\""), [""]);
        assert!(split_names("").is_empty());
    }
}
