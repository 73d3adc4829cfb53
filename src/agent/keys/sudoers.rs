//! What lets a login that is no root run the agent under a key's name, and nothing else.

use std::{fs, path::PathBuf};

use super::{KeyError, command};
use crate::{
    agent::{
        server::{FileError, Server},
        step::release,
    },
    host::{KeyName, UserName},
};

const DIRECTORY: &str = "/etc/sudoers.d";

/// sudo reads no file that others may write.
const MODE: u32 = 0o440;

/// Allows the login the key's command, with exactly its arguments. Returns whether that
/// is new.
pub(super) fn write(server: &Server, name: &KeyName, login: &UserName) -> Result<bool, KeyError> {
    if !server.path(DIRECTORY.as_ref()).is_dir() {
        return Err(KeyError::refused(
            format!("the login `{login}` cannot become root: there is no `{DIRECTORY}`"),
            "install sudo on the server, or take the login `root`",
        ));
    }
    let (path, text) = (path(name), text(name, login));
    if server.read(&path)?.as_deref() == Some(&text) {
        return Ok(false);
    }
    // A name with a dot is passed by: until the text is checked, sudo does not see it.
    let staged = PathBuf::from(DIRECTORY).join(format!("odoo-deploy-key-{name}.checked"));
    release::write(server, &staged, &text, MODE)?;
    let checked = server.run(server.command("visudo").arg("-cf").arg(server.path(&staged)));
    let removed = fs::remove_file(server.path(&staged));
    checked?;
    removed.map_err(FileError::at("remove", &staged))?;
    release::replace(server, &path, &text, MODE)?;
    Ok(true)
}

/// Takes the line away. Returns whether there was one.
pub(super) fn remove(server: &Server, name: &KeyName) -> Result<bool, FileError> {
    let path = path(name);
    let is_there = server.path(&path).exists();
    server.remove_file(&path)?;
    Ok(is_there)
}

fn path(name: &KeyName) -> PathBuf {
    PathBuf::from(DIRECTORY).join(format!("odoo-deploy-key-{name}"))
}

fn text(name: &KeyName, login: &UserName) -> String {
    let command = command(name, true);
    format!(
        "# Written by `deploy server authorize`: goes with the key `{name}`.\n\
         {login} ALL=(root) NOPASSWD: {command}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_allows_one_command_with_all_of_its_arguments() {
        let text = text(&KeyName::parse("ci").unwrap(), &UserName::parse("deploy-ci").unwrap());
        let line = "deploy-ci ALL=(root) NOPASSWD: \
                    /usr/local/lib/odoo-deploy/deploy agent --key ci\n";
        assert!(text.ends_with(line), "{text}");
    }
}
