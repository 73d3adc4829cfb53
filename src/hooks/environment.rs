//! What a hook sees of the operator's environment. Pure.

use std::collections::BTreeSet;

use crate::secret::Redactor;

/// Variables that every login has and no program does without. A short password may turn
/// up in one by chance, as `admin` does in `/home/admin`.
const ORDINARY: [&str; 6] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"];

/// Returns the variables of an environment that are no secrets: neither by name nor by a
/// value that is known as one.
#[must_use]
pub fn visible(
    variables: &[(String, String)],
    secret_names: &BTreeSet<String>,
    redactor: &Redactor,
) -> Vec<(String, String)> {
    let is_visible = |(name, value): &&(String, String)| {
        let holds_secret = || redactor.redact(value) != *value;
        !secret_names.contains(name) && (ORDINARY.contains(&name.as_str()) || !holds_secret())
    };
    variables.iter().filter(is_visible).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_hook_has_the_operators_environment_without_the_secrets() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            pair("PATH", "/home/geheim99/bin"),
            pair("DB_PASSWORD", "hunter2"),
            pair("COPY", "postgres://u:geheim99@h/"),
            pair("SHORT", "x"),
        ];
        let names = BTreeSet::from(["DB_PASSWORD".to_owned(), "SHORT".to_owned()]);
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new("geheim99"));
        assert_eq!(visible(&variables, &names, &redactor), [pair("PATH", "/home/geheim99/bin")]);
    }
}
