//! Environments and servers for a repository that has none written down. Pure.

use crate::{host::ServerName, source::Branch};

/// Which branches stand for an environment, as most projects name them; the first that
/// is there counts. `<series>` is a branch such as `18.0`.
const HABITS: [(&str, &[&str]); 6] = [
    ("production", &["main", "master", "production", "<series>"]),
    ("staging", &["staging", "stage", "<series>-staging"]),
    ("test", &["test"]),
    ("integration", &["develop", "dev"]),
    ("internal", &["blink"]),
    ("demo", &["demo"]),
];

const SERIES: [&str; 3] = ["19.0", "18.0", "17.0"];

/// An environment and its branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposed {
    pub(super) name: &'static str,
    pub(super) branch: Branch,
}

/// Proposes environments for the branches of a repository.
pub(super) fn propose(branches: &[Branch]) -> Vec<Proposed> {
    let find = |name: &str| branches.iter().find(|branch| branch.as_str() == name).cloned();
    let habit = |(name, habits): (&'static str, &[&str])| {
        let branch = habits.iter().find_map(|habit| {
            if !habit.contains("<series>") {
                return find(habit);
            }
            SERIES.iter().find_map(|series| find(&habit.replace("<series>", series)))
        })?;
        Some(Proposed { name, branch })
    };
    HABITS.into_iter().filter_map(habit).collect()
}

/// Writes environments as they stand in `deploy.toml`.
pub(super) fn environments_text(proposed: &[Proposed]) -> String {
    let section = |one: &Proposed| {
        let confirm = if one.name == "production" { "confirm = true\n" } else { "" };
        format!("\n[environments.{}]\nbranch = \"{}\"\n{confirm}", one.name, one.branch)
    };
    proposed.iter().map(section).collect()
}

/// Writes a server as it stands in `deploy.toml`, from `[USER@]ADDRESS[:PORT]`; none where
/// the text is no such thing.
pub(super) fn server_text(name: &ServerName, address: &str) -> Option<String> {
    let (user, rest) = match address.split_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, address),
    };
    let (address, port) = match rest.rsplit_once(':') {
        // A second colon makes it an IPv6 address.
        Some((address, port)) if !address.contains(':') => {
            (address, Some(port.parse::<u16>().ok()?))
        }
        _ => (rest, None),
    };
    let plain = |text: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
    };
    if !plain(address) || !user.is_none_or(plain) {
        return None;
    }
    let user = user.map(|user| format!("user = \"{user}\"\n")).unwrap_or_default();
    let port = port.map(|port| format!("port = {port}\n")).unwrap_or_default();
    let key = if name.as_str().contains('.') { format!("\"{name}\"") } else { name.to_string() };
    Some(format!("\n[servers.{key}]\naddress = \"{address}\"\n{user}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(names: &[&str]) -> Vec<(&'static str, String)> {
        let branches: Vec<_> = names.iter().map(|name| Branch::parse(name).unwrap()).collect();
        propose(&branches).into_iter().map(|one| (one.name, one.branch.to_string())).collect()
    }

    #[test]
    fn common_branches_become_environments() {
        let both = |a: &'static str, b: &str| (a, b.to_owned());
        assert_eq!(
            proposed(&["develop", "master", "staging", "feature/x"]),
            [
                both("production", "master"),
                both("staging", "staging"),
                both("integration", "develop")
            ]
        );
        assert_eq!(
            proposed(&["18.0", "18.0-staging", "17.0"]),
            [both("production", "18.0"), both("staging", "18.0-staging")]
        );
        assert_eq!(proposed(&["wip"]), []);
        let text = environments_text(&propose(&[Branch::parse("main").unwrap()]));
        assert_eq!(text, "\n[environments.production]\nbranch = \"main\"\nconfirm = true\n");
    }

    #[test]
    fn a_server_is_written_from_what_ssh_takes() {
        let name = ServerName::parse("vps-1").unwrap();
        let text = server_text(&name, "deploy@10.0.0.1:2222").unwrap();
        assert_eq!(
            text,
            "\n[servers.vps-1]\naddress = \"10.0.0.1\"\nuser = \"deploy\"\nport = 2222\n"
        );
        assert!(server_text(&name, "2001:db8::1").unwrap().contains("2001:db8::1"));
        for hostile in ["-oProxyCommand=x", "a b", "a\"\nx", "u@", "a:b"] {
            assert_eq!(server_text(&name, hostile), None, "{hostile}");
        }
    }
}
