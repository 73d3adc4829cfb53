//! A system account, and how a program is run under it.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{FileError, Server};

/// An entry of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// Its primary group's number.
    pub gid: u32,
    /// Its home directory.
    pub home: PathBuf,
}

impl Account {
    /// Looks the name up on the server; none where there is no such account.
    ///
    /// # Errors
    /// Fails when `/etc/passwd` cannot be read.
    pub fn find(server: &Server, name: &str) -> Result<Option<Self>, FileError> {
        let passwd = server.read(Path::new("/etc/passwd"))?.unwrap_or_default();
        Ok(passwd.lines().filter_map(Self::parse).find(|account| account.name == name))
    }

    /// Tells whether the account's entry carries this text as its comment.
    ///
    /// # Errors
    /// Fails when `/etc/passwd` cannot be read.
    pub(super) fn is_marked(server: &Server, name: &str, mark: &str) -> Result<bool, FileError> {
        let passwd = server.read(Path::new("/etc/passwd"))?.unwrap_or_default();
        let fields = |line: &str| {
            let fields: Vec<_> = line.split(':').collect();
            fields.first() == Some(&name) && fields.get(4) == Some(&mark)
        };
        Ok(passwd.lines().any(fields))
    }

    /// Returns the program that the account logs in with.
    ///
    /// # Errors
    /// Fails when `/etc/passwd` cannot be read.
    pub fn shell(server: &Server, name: &str) -> Result<Option<String>, FileError> {
        let passwd = server.read(Path::new("/etc/passwd"))?.unwrap_or_default();
        let mut lines = passwd.lines().map(|line| line.split(':'));
        let line = lines.find_map(|mut fields| (fields.next() == Some(name)).then_some(fields));
        Ok(line.and_then(|mut fields| fields.nth(5)).map(str::to_owned))
    }

    /// Makes the program run as this account, with its primary group and no
    /// other (the standard library drops root's own groups). Without root's
    /// rights nothing changes: then the agent is that account already.
    pub fn run(&self, command: &mut Command) {
        if rustix::process::geteuid().is_root() {
            command.uid(self.uid).gid(self.gid);
        }
        command.env("HOME", &self.home).env("USER", &self.name).current_dir("/");
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = PathBuf::from(fields.nth(1)?);
        Some(Self { name, uid, gid, home })
    }
}

/// Finds a group's number; none where there is no such group.
///
/// # Errors
/// Fails when `/etc/group` cannot be read.
pub(super) fn group_of(server: &Server, name: &str) -> Result<Option<u32>, FileError> {
    let groups = server.read(Path::new("/etc/group"))?.unwrap_or_default();
    let number = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    };
    Ok(groups.lines().find_map(number))
}

/// Tells whether nobody belongs to a group: no member, and nobody's own.
///
/// # Errors
/// Fails when the accounts cannot be read.
pub(super) fn is_group_unused(server: &Server, name: &str) -> Result<bool, FileError> {
    let groups = server.read(Path::new("/etc/group"))?.unwrap_or_default();
    let passwd = server.read(Path::new("/etc/passwd"))?.unwrap_or_default();
    let gid = group_of(server, name)?;
    let members = groups
        .lines()
        .filter(|line| line.split(':').next() == Some(name))
        .any(|line| line.split(':').nth(3).is_some_and(|members| !members.trim().is_empty()));
    let own = passwd.lines().filter_map(Account::parse).any(|account| Some(account.gid) == gid);
    Ok(!members && !own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_line_of_passwd() {
        let account = Account::parse("odoo:x:106:111:Odoo,,,:/var/lib/odoo:/usr/sbin/nologin");
        let home = PathBuf::from("/var/lib/odoo");
        assert_eq!(account, Some(Account { name: "odoo".to_owned(), uid: 106, gid: 111, home }));
        assert_eq!(Account::parse("+@nis-group::::::"), None);
        assert_eq!(Account::parse(""), None);
    }

    #[test]
    fn a_group_is_unused_where_nobody_belongs_to_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let write = |name: &str, text: &str| {
            #[expect(clippy::disallowed_methods, reason = "a test lays out its files")]
            std::fs::write(root.path().join("etc").join(name), text).unwrap();
        };
        write("passwd", "acme:x:990:990:odoo-deploy acme:/var/lib/odoo/acme:/usr/sbin/nologin\n");
        write("group", "acme:x:990:\nadm:x:4:ana\nfree:x:5:\n");
        let server = Server::below(root.path().to_owned(), "".into());
        let unused = |name: &str| is_group_unused(&server, name).unwrap();
        assert_eq!((unused("acme"), unused("adm"), unused("free")), (false, false, true));
        assert_eq!(group_of(&server, "adm").unwrap(), Some(4));
        assert!(Account::is_marked(&server, "acme", "odoo-deploy acme").unwrap());
        assert!(!Account::is_marked(&server, "acme", "odoo-deploy").unwrap());
    }
}
