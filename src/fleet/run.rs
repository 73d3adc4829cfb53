//! A run as its file keeps it: what was asked for, and how far it came.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    course::{End, Stop},
    rules::Rules,
};
use crate::host::{HostName, ServerName};

/// The version of the format that this tool writes.
const SCHEMA: u32 = 1;

/// A run over many hosts. `W` is what each host was asked for, and has no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run<W> {
    /// The version of this format.
    pub schema: u32,
    /// The run's id, its time first.
    pub id: String,
    /// The root of the platform repository.
    pub repository: std::path::PathBuf,
    /// What was asked for.
    pub wish: W,
    /// Its rules.
    pub rules: Rules,
    /// Its hosts, in their order.
    pub hosts: Vec<RunHost>,
    /// Why it ended before its last host.
    pub stop: Option<Stop>,
}

/// A host of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHost {
    /// The host.
    pub host: HostName,
    /// The server that carries it.
    pub server: ServerName,
    /// How its turn ended; none where it had none, or is in it.
    pub end: Option<End>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A file holds no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It is damaged, or something else.
    #[error("the file holds no run: {0}")]
    Damaged(#[from] serde_json::Error),
    /// A newer version wrote it.
    #[error("the run was written in format {0}, this version reads {SCHEMA}")]
    Newer(u32),
}

/// Of any version.
#[derive(Deserialize)]
struct AnyRun {
    schema: u32,
}

impl<W: Serialize + DeserializeOwned> Run<W> {
    /// Begins one.
    #[must_use]
    pub fn new(
        id: String,
        repository: std::path::PathBuf,
        wish: W,
        rules: Rules,
        hosts: impl IntoIterator<Item = (HostName, ServerName)>,
    ) -> Self {
        let host = |(host, server)| RunHost { host, server, end: None, problem: None };
        let hosts = hosts.into_iter().map(host).collect();
        Self { schema: SCHEMA, id, repository, wish, rules, hosts, stop: None }
    }

    /// Returns the text of its file.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a run is JSON") + "\n"
    }

    /// Reads the text of its file.
    ///
    /// # Errors
    /// Fails where that is no run, or one of a newer version.
    pub fn parse(text: &str) -> Result<Self, RunError> {
        let any: AnyRun = serde_json::from_str(text)?;
        if any.schema > SCHEMA {
            return Err(RunError::Newer(any.schema));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// Lists the hosts that are not where they were meant to be. Those that the run took back
    /// are, too; what is only not verified from outside is where it was meant to be.
    #[must_use]
    pub fn left(&self) -> Vec<&RunHost> {
        let is_done = |end: End| end.is_success() || end.is_live();
        self.hosts.iter().filter(|host| !host.end.is_some_and(is_done)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::fleet::{Amount, OnFailure};

    fn run() -> Run<String> {
        let one = NonZeroUsize::new(1).unwrap();
        let rules = Rules {
            batches: vec![Amount::Hosts(1)],
            max_parallel: one,
            per_server: one,
            max_failed: Amount::Percent(5),
            max_unreachable: Amount::Hosts(0),
            on_failure: OnFailure::Stop,
        };
        let hosts = ["a.example", "b.example", "c.example"]
            .map(|name| (HostName::parse(name).unwrap(), ServerName::parse("vps-1").unwrap()));
        Run::new("id".to_owned(), "/srv/platform".into(), "wish".to_owned(), rules, hosts)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut run = run();
        run.hosts[1].end = Some(End::Reverted);
        run.hosts[1].problem = Some("a syntax error".to_owned());
        assert_eq!(Run::parse(&run.text()).unwrap(), run);
    }

    #[test]
    fn damaged_and_newer_files_are_told_apart() {
        assert!(matches!(Run::<String>::parse("{}"), Err(RunError::Damaged(_))));
        assert!(matches!(Run::<String>::parse("{\"schema\": 2}"), Err(RunError::Newer(2))));
    }

    #[test]
    fn what_is_left_is_whatever_is_not_there() {
        let mut run = run();
        run.hosts[0].end = Some(End::Deployed);
        run.hosts[1].end = Some(End::OutOfSight);
        let left: Vec<_> = run.left().iter().map(|host| host.host.as_str()).collect();
        assert_eq!(left, ["b.example", "c.example"]);
        run.hosts[0].end = Some(End::RolledBack);
        assert_eq!(run.left().len(), 3);
    }
}
