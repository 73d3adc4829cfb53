//! The text of an authorized_keys file. Lines that are not a deploy key's own stay as they
//! are. Pure.

use super::command;
use crate::{host::KeyName, wire::PublicKey};

/// Returns the line of a deploy key: no terminal, no forwarding, and one command.
pub(super) fn line(name: &KeyName, key: &PublicKey, is_root: bool) -> String {
    format!("restrict,command=\"{}\" {key}", command(name, is_root))
}

/// Puts the line in the place of the key's earlier one, else behind the others.
pub(super) fn with(text: &str, line: &str, name: &KeyName) -> String {
    let mut new = String::new();
    let mut is_there = false;
    for old in text.split_inclusive('\n') {
        if !is_own(old, name) {
            new.push_str(old);
        } else if !is_there {
            is_there = true;
            new.push_str(line);
            new.push('\n');
        }
    }
    if !is_there {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(line);
        new.push('\n');
    }
    new
}

/// Takes the key's line away.
pub(super) fn without(text: &str, name: &KeyName) -> String {
    text.split_inclusive('\n').filter(|line| !is_own(line, name)).collect()
}

/// Tells whether another line is of the same key. sshd takes the first that fits, so the
/// restriction would be none.
pub(super) fn opens_otherwise(text: &str, name: &KeyName, blob: &str) -> bool {
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    let has_key = |line: &str| line.split([' ', '\t']).any(|word| word.trim_end() == blob);
    text.lines().any(|line| !is_comment(line) && !is_own(line, name) && has_key(line))
}

/// Tells whether a line is the one that this key was given.
fn is_own(line: &str, name: &KeyName) -> bool {
    let begins = |is_root| format!("restrict,command=\"{}\" ", command(name, is_root));
    line.starts_with(&begins(true)) || line.starts_with(&begins(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn name(text: &str) -> KeyName {
        KeyName::parse(text).unwrap()
    }

    fn key() -> PublicKey {
        PublicKey::parse(&format!("ssh-ed25519 {BLOB} ci")).unwrap()
    }

    #[test]
    fn the_line_allows_one_command_only() {
        assert_eq!(
            line(&name("ci"), &key(), false),
            format!(
                "restrict,command=\"sudo -n /usr/local/lib/odoo-deploy/deploy agent --key ci\" \
                 ssh-ed25519 {BLOB} ci"
            )
        );
        assert!(!line(&name("ci"), &key(), true).contains("sudo"));
    }

    #[test]
    fn other_lines_stay_byte_for_byte() {
        let foreign = "# mine\r\n\nssh-rsa AAAA ana\n  from=\"10.*\" ssh-rsa BBBB no-end";
        let own = line(&name("ci"), &key(), false);
        let both = with(foreign, &own, &name("ci"));
        assert_eq!(both, format!("{foreign}\n{own}\n"));
        assert_eq!(with(&both, &own, &name("ci")), both);
        assert_eq!(without(&both, &name("ci")), format!("{foreign}\n"));
        assert_eq!(without(foreign, &name("ci")), foreign);
    }

    #[test]
    fn a_key_takes_the_place_of_the_one_of_its_name_and_of_no_other() {
        let old = line(&name("ci"), &key(), true);
        let near = line(&name("ci-2"), &key(), true);
        let new = line(&name("ci"), &key(), false);
        let text = format!("{old}\n{near}\n{old}\n");
        assert_eq!(with(&text, &new, &name("ci")), format!("{new}\n{near}\n"));
        assert_eq!(without(&text, &name("c")), text);
    }

    #[test]
    fn a_line_that_opens_more_is_seen() {
        let ci = name("ci");
        for other in [
            format!("ssh-ed25519 {BLOB}"),
            format!("ssh-ed25519 {BLOB} x\n"),
            format!("from=\"10.0.0.1\",command=\"a b\" ssh-ed25519\t{BLOB}\r"),
            line(&name("ci-2"), &key(), false),
        ] {
            assert!(opens_otherwise(&other, &ci, BLOB), "{other}");
        }
        assert!(!opens_otherwise(&line(&ci, &key(), false), &ci, BLOB));
        assert!(!opens_otherwise(&format!("# ssh-ed25519 {BLOB}"), &ci, BLOB));
        assert!(!opens_otherwise("ssh-ed25519 AAAA\n", &ci, BLOB));
    }
}
