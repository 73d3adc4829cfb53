//! The system users of the server.

use std::path::Path;

use super::{
    server::{FileError, Server},
    step::StepError,
};

/// A system user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Its home directory.
    pub home: String,
}

/// Finds a system user by name.
///
/// # Errors
/// Fails when there is none, or the list of users cannot be read.
pub fn find(server: &Server, name: &str) -> Result<User, StepError> {
    look_up(server, name)?.ok_or_else(|| {
        StepError::found(format!("the system user `{name}` does not exist on the server"))
            .with_hint("create it, or name another one by `user = …` in `[deploy]`")
    })
}

/// Finds a system user by name; none where there is no such user.
///
/// # Errors
/// Fails when the list of users cannot be read.
pub fn look_up(server: &Server, name: &str) -> Result<Option<User>, FileError> {
    let users = server.read(Path::new("/etc/passwd"))?.unwrap_or_default();
    Ok(users.lines().find_map(|line| parse(line, name)))
}

fn parse(line: &str, name: &str) -> Option<User> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(User { uid, gid, home: fields.nth(1)?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let line = "odoo:x:105:107:Odoo,,,:/var/lib/odoo:/usr/sbin/nologin";
        let user = User { uid: 105, gid: 107, home: "/var/lib/odoo".into() };
        assert_eq!(parse(line, "odoo"), Some(user));
        assert_eq!(parse(line, "odo"), None);
    }
}
