//! Which branch goes where.

use indexmap::IndexMap;

use super::{Environment, Settings};
use crate::{
    host::{EnvironmentName, did_you_mean},
    source::{Branch, BranchPattern},
};

/// A branch that may not be deployed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The environment is in no `deploy.toml`.
    #[error("there is no environment `{name}` in config/deploy.toml")]
    UnknownEnvironment {
        /// The name as it was given.
        name: EnvironmentName,
        /// What to do instead.
        hint: String,
    },
    /// The environment does not take the branch.
    #[error("branch `{branch}` is not allowed on {environment}, which takes {}", list(allowed))]
    BranchNotAllowed {
        /// The branch.
        branch: Branch,
        /// The environment.
        environment: EnvironmentName,
        /// What the environment takes.
        allowed: Vec<BranchPattern>,
    },
}

impl PolicyError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownEnvironment { hint, .. } => hint.clone(),
            Self::BranchNotAllowed { environment, .. } => format!(
                "merge it into an allowed branch, or add it to `allow` under \
                 [environments.{environment}] on the environment's own branch"
            ),
        }
    }
}

fn list(patterns: &[BranchPattern]) -> String {
    patterns.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", ")
}

impl Environment {
    /// Describes an environment; its own branch is always allowed.
    #[must_use]
    pub fn new(branch: Branch, mut allow: Vec<BranchPattern>, confirm: bool) -> Self {
        if !allow.iter().any(|pattern| pattern.matches(&branch)) {
            let own = BranchPattern::parse(branch.as_str()).expect("a branch is a pattern");
            allow.insert(0, own);
        }
        Self { branch, allow, confirm }
    }
}

impl Settings {
    /// Returns an environment by name.
    ///
    /// # Errors
    /// Returns the near name where there is no such environment.
    pub fn environment(&self, name: &EnvironmentName) -> Result<&Environment, PolicyError> {
        self.environments.get(name).ok_or_else(|| {
            let known = || self.environments.keys().map(EnvironmentName::as_str);
            let hint = did_you_mean(name.as_str(), known()).unwrap_or_else(|| {
                format!("the environments are {}", known().collect::<Vec<_>>().join(", "))
            });
            PolicyError::UnknownEnvironment { name: name.clone(), hint }
        })
    }

    /// Checks that an environment takes a branch.
    ///
    /// # Errors
    /// Returns the patterns that it takes where it does not.
    pub fn branch_policy(
        &self,
        environment: &EnvironmentName,
        branch: &Branch,
    ) -> Result<(), PolicyError> {
        let allowed = &self.environment(environment)?.allow;
        if allowed.iter().any(|pattern| pattern.matches(branch)) {
            return Ok(());
        }
        Err(PolicyError::BranchNotAllowed {
            branch: branch.clone(),
            environment: environment.clone(),
            allowed: allowed.clone(),
        })
    }
}

impl Default for Settings {
    /// What holds where there is no `deploy.toml`.
    fn default() -> Self {
        Self {
            environments: default_environments(),
            servers: IndexMap::new(),
            public_addresses: IndexMap::new(),
            dns: IndexMap::new(),
            notify: IndexMap::new(),
            acme: super::Acme::default(),
            desktop_notification: true,
            upgrades_at_once: std::num::NonZeroU32::MIN,
            hook_timeout: super::parse::HOOK_TIMEOUT,
            clients: super::Clients::default(),
            placement: IndexMap::new(),
            odoo: IndexMap::new(),
            wanted_odoo: IndexMap::new(),
        }
    }
}

/// The environments where none is written: the branches of the Blink platform.
pub(super) fn default_environments() -> IndexMap<EnvironmentName, Environment> {
    let environments: [(&str, &str, &[&str], bool); 4] = [
        ("production", "main", &["main"], true),
        ("test", "test", &["test", "hotfix/*", "bugfix/*", "feature/*", "main"], false),
        ("internal", "blink", &["blink"], false),
        ("demo", "demo", &["demo"], false),
    ];
    environments
        .into_iter()
        .map(|(name, branch, allow, confirm)| {
            let pattern = |text: &&str| BranchPattern::parse(text).expect("a valid pattern");
            let environment = Environment {
                branch: Branch::parse(branch).expect("a valid branch"),
                allow: allow.iter().map(pattern).collect(),
                confirm,
            };
            (EnvironmentName::parse(name).expect("a valid name"), environment)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn policy(settings: &Settings, environment: &str, branch: &str) -> Result<(), PolicyError> {
        let environment = EnvironmentName::parse(environment).unwrap();
        settings.branch_policy(&environment, &Branch::parse(branch).unwrap())
    }

    #[test]
    fn the_default_environments_are_blinks() {
        let settings = Settings::default();
        for (environment, branch) in [
            ("production", "main"),
            ("test", "hotfix/a"),
            ("test", "main"),
            ("internal", "blink"),
            ("demo", "demo"),
        ] {
            assert_eq!(policy(&settings, environment, branch), Ok(()));
        }
        assert_eq!(
            policy(&settings, "production", "feature/x").unwrap_err().to_string(),
            "branch `feature/x` is not allowed on production, which takes `main`"
        );
        let error = policy(&settings, "prodution", "main").unwrap_err();
        assert_eq!(error.hint(), "did you mean `production`?");
    }

    #[test]
    fn an_environments_own_branch_is_always_allowed() {
        let text = "[environments.staging]\nbranch = \"stage\"\nallow = [\"fix/*\"]\n";
        let settings = Settings::parse(text, Path::new("deploy.toml")).unwrap();
        assert_eq!(policy(&settings, "staging", "stage"), Ok(()));
        assert_eq!(policy(&settings, "staging", "fix/a"), Ok(()));
        assert!(policy(&settings, "production", "main").is_err());
    }
}
