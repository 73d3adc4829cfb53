//! How a run of Odoo ended, and whether that was success.

use std::fmt;

use crate::odoo::UpgradeLog;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// With a status; 0 is no success before its log is read.
    Exited(i32),
    /// By a signal.
    Killed(i32),
    /// Its time was over.
    TimedOut,
    /// The kernel ended it for lack of memory.
    OutOfMemory,
    /// The operator wanted it to end.
    Stopped,
    /// Nobody saw it end; that is a failure.
    Unknown(String),
}

impl RunEnd {
    /// Says in one sentence what speaks against a run, if anything does.
    pub(super) fn problem(&self, log: &UpgradeLog) -> Option<String> {
        let told = match self {
            // The log holds a reason of Odoo's own.
            Self::Exited(_) => log.problem(),
            // The log holds at most the traceback of being ended.
            _ => log.last_step.as_ref().map(|step| format!("{self}, during {step}")),
        };
        told.or_else(|| match self {
            Self::Exited(0) if log.finished => None,
            Self::Exited(0) => Some("it ended before the registry was loaded".to_owned()),
            _ => Some(self.to_string()),
        })
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "it ended with status {status}"),
            Self::Killed(signal) => write!(f, "it was ended by signal {signal}"),
            Self::TimedOut => f.write_str("it took longer than allowed and was ended"),
            Self::OutOfMemory => f.write_str("the server ran out of memory and ended it"),
            Self::Stopped => f.write_str("the operator stopped it"),
            Self::Unknown(what) => write!(f, "nobody saw how it ended: {what}"),
        }
    }
}

/// Reads how a unit ended from what `systemd-run --wait` says:
/// `Finished with result: timeout` and
/// `Main processes terminated with: code=killed, status=15/TERM`.
pub(super) fn read_end(said: &str, status: Option<i32>) -> RunEnd {
    let after = |text: &str| said.lines().find_map(|line| line.trim().strip_prefix(text));
    let unknown = || {
        let last = said.lines().rfind(|line| !line.starts_with("Running as unit"));
        let last = last.unwrap_or("systemd-run said nothing");
        RunEnd::Unknown(last.to_owned())
    };
    let Some(result) = after("Finished with result: ") else { return unknown() };
    match result {
        "timeout" => return RunEnd::TimedOut,
        "oom-kill" => return RunEnd::OutOfMemory,
        "success" => return status.map_or_else(unknown, RunEnd::Exited),
        _ => {}
    }
    let Some(code) = after("Main processes terminated with: code=") else { return unknown() };
    // 252 separates with `/`, later versions with `, `.
    let number = code.split_once("status=").map(|(_, rest)| rest);
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let Some(number) = number.and_then(|text| digits(text).parse().ok()) else { return unknown() };
    if code.starts_with("exited") { RunEnd::Exited(number) } else { RunEnd::Killed(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_told_apart() {
        let end = |result: &str, code: &str| {
            let code = format!("Main processes terminated with: code={code}\n");
            read_end(
                &format!("Running as unit: x\nFinished with result: {result}\n{code}"),
                Some(1),
            )
        };
        assert_eq!(end("exit-code", "exited, status=255/EXCEPTION"), RunEnd::Exited(255));
        assert_eq!(end("exit-code", "exited/status=1"), RunEnd::Exited(1));
        assert_eq!(end("signal", "killed, status=9/KILL"), RunEnd::Killed(9));
        assert_eq!(end("core-dump", "dumped, status=11/SEGV"), RunEnd::Killed(11));
        assert_eq!(end("timeout", "killed, status=15/TERM"), RunEnd::TimedOut);
        assert_eq!(end("oom-kill", "killed, status=9/KILL"), RunEnd::OutOfMemory);
        assert_eq!(read_end("Finished with result: success\n", Some(0)), RunEnd::Exited(0));
        assert_eq!(
            read_end("Failed to start transient service unit\n", Some(1)),
            RunEnd::Unknown("Failed to start transient service unit".to_owned())
        );
        assert_eq!(read_end("", None), RunEnd::Unknown("systemd-run said nothing".to_owned()));
    }

    #[test]
    fn status_zero_is_success_only_if_the_registry_was_loaded() {
        let finished = UpgradeLog { finished: true, ..UpgradeLog::default() };
        assert_eq!(RunEnd::Exited(0).problem(&finished), None);
        assert!(RunEnd::Exited(0).problem(&UpgradeLog::default()).is_some());
        assert!(RunEnd::Exited(1).problem(&finished).is_some());
        let killed = UpgradeLog {
            last_step: Some("migration `pre-fill` of `sale_x`".to_owned()),
            ..UpgradeLog::default()
        };
        let told = RunEnd::TimedOut.problem(&killed).unwrap_or_default();
        insta::assert_snapshot!(told, @r"
    it took longer than allowed and was ended, during migration `pre-fill` of `sale_x`
    ");
    }
}
