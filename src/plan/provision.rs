//! What the first deploy of a host creates on its server besides the database: the
//! system user, the PostgreSQL role, the directories, the password of user `admin`.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    desired::Desired, environment::to_build, observed::Observed, obstacle::Obstacle, step::Step,
    transaction::Transaction,
};
use crate::host::DatabaseName;

/// What a host needs of its server, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProvisionFacts {
    /// Whether the group exists that Odoo is to run as.
    pub has_group: bool,
    /// Whether `data_dir` exists.
    pub has_data_dir: bool,
    /// Whether the file `logfile` exists.
    pub has_logfile: bool,
    /// The PostgreSQL role.
    pub role: RoleFacts,
}

/// A PostgreSQL role, as the superuser of a cluster on the server knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleFacts {
    /// Nobody had to be asked, or nobody could be.
    #[default]
    NotAsked,
    /// There is no such role, and it can be created.
    Missing,
    /// It exists.
    Present,
}

/// What the tool has created for a host (`provisioned.json`): what goes with it when
/// the host is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// The version of this format.
    pub schema: u32,
    /// The system user.
    #[serde(default)]
    pub user: bool,
    /// The PostgreSQL role.
    #[serde(default)]
    pub role: bool,
}

impl Default for Provisioned {
    fn default() -> Self {
        Self { schema: 1, user: false, role: false }
    }
}

/// Creates the system user that runs Odoo, and its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateUser {
    /// The user.
    pub user: String,
    /// Its group, which is created where it does not exist.
    pub group: String,
    /// Its home: the data directory.
    pub home: PathBuf,
}

/// Creates the role that owns the host's databases. Its password is the one of the
/// transaction's [`DatabaseAccess`](super::DatabaseAccess), where that has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateRole {
    /// Its name.
    pub role: String,
}

/// Makes the data directory and the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeDirectories {
    /// The data directory, where it is missing.
    pub data_dir: Option<PathBuf>,
    /// The log, where it is missing.
    pub logfile: Option<PathBuf>,
}

/// Sets the password of user `admin` in a database that was just created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAdminPassword {
    /// The database.
    pub database: DatabaseName,
    /// The password; travels on the channel's stdin only.
    pub password: String,
}

/// The password of user `admin` in a new database.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminPassword {
    /// The name of the secret.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for SetAdminPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetAdminPassword").field("database", &self.database).finish_non_exhaustive()
    }
}

impl fmt::Debug for AdminPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminPassword").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a plan creates on the server for a host that is new to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provision {
    /// The system user.
    pub user: Option<CreateUser>,
    /// The PostgreSQL role.
    pub role: Option<CreateRole>,
    /// Directories.
    pub directories: Option<MakeDirectories>,
    /// The name of the secret that becomes the password of user `admin`.
    pub admin: Option<String>,
    /// The Python environment, as its step describes it.
    pub python: Option<String>,
}

impl Provision {
    /// Works out what the server lacks. A host that was deployed before had it all: what
    /// is gone since is no first deploy's to create.
    #[must_use]
    pub fn of(desired: &Desired, observed: &Observed) -> Self {
        let python = to_build(desired, observed)
            .map(|step| format!("Python environment {} ({})", step.directory.display(), step.file));
        if !is_first(desired, observed) {
            return Self { python, ..Self::default() };
        }
        let service = &desired.service;
        let facts = &observed.provision;
        let user = (!observed.server.has_user).then(|| CreateUser {
            user: service.user.clone(),
            group: service.group.clone(),
            home: service.data_dir.clone(),
        });
        let role = (facts.role == RoleFacts::Missing)
            .then(|| CreateRole { role: desired.access.role().to_owned() });
        let data_dir = (!facts.has_data_dir).then(|| service.data_dir.clone());
        let logfile = service.logfile.clone().filter(|_| !facts.has_logfile);
        let creates_database =
            desired.databases.iter().any(|name| !observed.databases.contains_key(name));
        Self {
            python,
            user,
            role,
            directories: (data_dir.is_some() || logfile.is_some())
                .then_some(MakeDirectories { data_dir, logfile }),
            admin: desired
                .admin_password
                .as_ref()
                .filter(|_| creates_database)
                .map(|password| password.name.clone()),
        }
    }

    /// Returns what is done before anything else is.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let user = self.user.clone().map(Step::CreateUser);
        let role = self.role.clone().map(Step::CreateRole);
        let directories = self.directories.clone().map(Step::MakeDirectories);
        user.into_iter().chain(directories).chain(role)
    }

    /// Returns what is noted after the commit point: it goes with the host, once that is
    /// removed.
    pub(super) fn record(&self) -> Option<Step> {
        let (user, role) = (self.user.is_some(), self.role.is_some());
        let made = Provisioned { user, role, ..Provisioned::default() };
        (user || role).then_some(Step::RecordProvisioned(made))
    }

    /// Describes each thing that is created, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(CreateUser { user, group, home }) = &self.user {
            lines.push(format!(
                "system user {user} (group {group}, home {}, no login)",
                home.display()
            ));
        }
        if let Some(CreateRole { role }) = &self.role {
            lines.push(format!("PostgreSQL role {role} (may create databases, no superuser)"));
        }
        if let Some(MakeDirectories { data_dir, logfile }) = &self.directories {
            lines.extend(data_dir.as_ref().map(|path| format!("directory {}", path.display())));
            lines.extend(logfile.as_ref().map(|path| format!("log {}", path.display())));
        }
        lines.extend(self.python.clone());
        lines
            .extend(self.admin.as_ref().map(|name| format!("password of user admin: ${{{name}}}")));
        lines
    }
}

/// Tells whether nothing of the host was ever live. What was adopted has all that it needs.
fn is_first(desired: &Desired, observed: &Observed) -> bool {
    let is_adopted = observed.host.adopted.is_some();
    observed.host.current.is_none() && !is_adopted && desired.rollback.is_none()
}

/// Says what a role that does not exist yet cannot be given.
pub(super) fn obstacles(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    let provision = Provision::of(desired, observed);
    if let Some(CreateRole { role }) = &provision.role {
        for (name, facts) in &observed.databases {
            found.push(
                Obstacle::new(format!(
                    "database {name} belongs to role `{}`, and the host's role `{role}` does not exist",
                    facts.owner
                ))
                .hint("name another database by `db_name`, or its role by `db_user`"),
            );
        }
    }
    if observed.server.has_user || provision.user.is_some() {
        return;
    }
    let user = &desired.service.user;
    found.push(
        Obstacle::new(format!("the system user `{user}` does not exist on the server")).hint(
            "this host has been deployed before, so the user is not created: create it again, or \
             name another one by `user = …` in `[deploy]`",
        ),
    );
}

impl Transaction {
    /// Returns every secret that its steps bring along besides odoo.conf.
    pub fn step_secrets(&self) -> impl Iterator<Item = &str> {
        self.carry_out.iter().filter_map(|step| match step {
            Step::SetAdminPassword(step) => Some(step.password.as_str()),
            _ => None,
        })
    }

    /// Takes those secrets out.
    pub(super) fn forget_step_secrets(&mut self) {
        for step in &mut self.carry_out {
            if let Step::SetAdminPassword(step) = step {
                step.password.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::{Sample, titles};

    /// A host whose server has neither its user nor its role.
    fn without_accounts() -> Sample {
        let mut sample = Sample::new_host();
        sample.observed.server.has_user = false;
        sample.observed.provision =
            ProvisionFacts { role: RoleFacts::Missing, ..Default::default() };
        sample.observed.cluster.may_create = false;
        sample.desired.service.logfile = Some("/var/log/odoo/acme.log".into());
        sample.desired.admin_password =
            Some(AdminPassword { name: "ACME_ADMIN".into(), value: "geheim".into() });
        sample
    }

    #[test]
    fn what_a_new_host_lacks_is_created_before_its_release_is_written() {
        insta::assert_snapshot!(titles(&without_accounts().plan()), @r"
        create system user odoo
        make the data directory and the log
        create PostgreSQL role odoo
        write release 1
        check Python, XML and manifests
        check the unit
        check the vhost
        check what the modules need besides modules
        import the modules
        wait for other upgrades on the server
        --
        show the maintenance page
        hold the service
        stop Odoo
        create database acme-prod
        install the unit
        move to release 1
        install base, taller in acme-prod
        set the password of user admin in acme-prod
        record in acme-prod what it has seen
        start Odoo
        install the vhost and reload nginx
        check health
        --
        release the service
        hide the maintenance page
        note what was created for the host
        prune old releases and snapshots
        ");
    }

    #[test]
    fn what_is_created_is_shown() {
        insta::assert_snapshot!(without_accounts().plan().provision.lines().join("\n"), @r"
        system user odoo (group odoo, home /var/lib/odoo/acme, no login)
        PostgreSQL role odoo (may create databases, no superuser)
        directory /var/lib/odoo/acme
        log /var/log/odoo/acme.log
        password of user admin: ${ACME_ADMIN}
        ");
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let mut sample = without_accounts();
        sample.observed.server.has_user = true;
        sample.observed.cluster.may_create = true;
        sample.observed.provision = ProvisionFacts {
            has_group: true,
            has_data_dir: true,
            has_logfile: true,
            role: RoleFacts::NotAsked,
        };
        sample.desired.admin_password = None;
        assert_eq!(sample.plan().provision, Provision::default());
    }

    #[test]
    fn a_user_that_is_gone_since_is_not_created_again() {
        let mut sample = Sample::matching();
        sample.observed.server.has_user = false;
        assert!(sample.refusal().contains("has been deployed before, so the user is not created"));
    }

    #[test]
    fn a_new_role_takes_no_database_over() {
        let mut sample = without_accounts();
        let facts = Sample::matching().observed.databases;
        sample.observed.databases = facts;
        assert!(sample.refusal().contains("belongs to role `odoo`, and the host's role"));
    }

    #[test]
    fn the_password_is_in_no_fingerprint_and_no_debug_text() {
        let mut transaction = without_accounts().plan().transaction;
        assert_eq!(transaction.step_secrets().collect::<Vec<_>>(), ["geheim"]);
        assert!(!format!("{transaction:?}").contains("geheim"));
        transaction.forget_step_secrets();
        assert!(!serde_json::to_string(&transaction).unwrap().contains("geheim"));
    }
}
