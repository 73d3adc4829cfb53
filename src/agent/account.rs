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
}
