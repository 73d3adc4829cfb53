//! The only printer: results to stdout; progress, hints and errors to stderr.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the printer")]

use std::{
    error::Error,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::{select, sync::oneshot};

use super::{ExitCode, interrupts::Interrupts, json, lanes::Lanes, words};
use crate::{
    causes::with_causes,
    hooks::Hook,
    host::{
        ConfigError,
        lint::{Finding, Severity},
    },
    plan::{Failure, Obstacle},
    secret::Redactor,
    source::SourceError,
    transport::TransportError,
    workflow::WorkflowError,
};

/// Where everything is printed.
pub(super) struct Terminal {
    json: bool,
    colour: bool,
    interactive: bool,
    redactor: Redactor,
    progress: Option<ProgressBar>,
    lanes: Lanes,
    steps: usize,
    step: String,
    interrupts: Option<Interrupts>,
}

/// A colour, where the reader's terminal has any.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

impl Terminal {
    /// Opens the terminal; with `json`, results are objects, one per line.
    pub(super) fn open(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            colour: !plain && io::stdout().is_terminal() && io::stderr().is_terminal(),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            redactor: Redactor::default(),
            progress: None,
            lanes: Lanes::default(),
            steps: 0,
            step: String::new(),
            interrupts: None,
        }
    }

    /// Notes how many steps there will be.
    pub(super) fn begin_steps(&mut self, steps: usize) {
        self.steps = steps;
    }

    /// Shows the step that is being done.
    pub(super) fn begin_step(&mut self, index: usize, title: &str) {
        let width = self.steps.to_string().len();
        self.step = format!("{index:>width$}/{}  {title}", self.steps);
        self.busy(&self.step.clone());
    }

    /// Shows how far the step is.
    pub(super) fn step_progress(&mut self, text: &str) {
        self.busy(&format!("{}: {text}", self.step));
    }

    /// Prints the step that was done and how long it took.
    pub(super) fn end_step(&mut self, milliseconds: u64) {
        let time = self.paint(Style::Dim, &super::deploy::seconds(milliseconds));
        let line = format!("{}  {time}", self.step);
        self.note(&line);
    }

    /// Prints the step that failed.
    pub(super) fn fail_step(&mut self) {
        let line = format!("{}  {}", self.step, self.paint(Style::Red, "failed"));
        self.note(&line);
    }

    /// Masks these secrets, too, in everything that is printed from now on.
    pub(super) fn know_secrets(&mut self, redactor: &Redactor) {
        self.redactor.extend(redactor);
    }

    /// Tells whether a person can be asked.
    pub(super) const fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Catches interrupts, from the first call on.
    pub(super) fn interrupts(&mut self) -> Interrupts {
        self.interrupts.get_or_insert_with(Interrupts::catch).clone()
    }

    /// Colours a text where the reader's terminal has colours.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
        } else {
            text.to_owned()
        }
    }

    /// Prints a line of a result.
    pub(super) fn result(&self, line: &str) {
        if !self.json {
            println!("{}", self.redactor.redact(line));
        }
    }

    /// Prints an object.
    pub(super) fn json(&self, value: &Value) {
        if self.json {
            let mut value = value.clone();
            self.redactor.redact_json(&mut value);
            println!("{value}");
        }
    }

    /// Prints a line that is not the result.
    pub(super) fn note(&mut self, line: &str) {
        let line = self.redactor.redact(line);
        match &self.progress {
            Some(progress) => progress.suspend(|| eprintln!("{line}")),
            None => self.lanes.suspend(|| eprintln!("{line}")),
        }
    }

    /// Prints something the operator should know.
    pub(super) fn warning(&mut self, text: &str) {
        let label = self.paint(Style::Yellow, "warning:");
        self.note(&format!("{label} {text}"));
        self.json(&json!({ "schema": json::SCHEMA, "event": "warning", "text": text }));
    }

    /// Prints a line that a hook wrote.
    pub(super) fn hook(&mut self, hook: Hook, line: &str) {
        let label = self.paint(Style::Dim, &format!("{} |", hook.as_str()));
        self.note(&format!("{label} {line}"));
        self.json(&json!({
            "schema": json::SCHEMA,
            "event": "hook",
            "hook": hook.as_str(),
            "text": line,
        }));
    }

    /// Shows what is going on, on a terminal only.
    pub(super) fn busy(&mut self, text: &str) {
        let text = self.redactor.redact(text);
        if !self.interactive || self.json {
            return;
        }
        let progress = self.progress.get_or_insert_with(|| {
            let progress = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg}");
            progress.set_style(style.expect("the template is valid"));
            progress.enable_steady_tick(Duration::from_millis(120));
            progress
        });
        progress.set_message(text);
    }

    /// Shows what is going on with one of many, on a terminal only.
    pub(super) fn lane(&mut self, place: usize, text: &str) {
        if self.interactive && !self.json {
            self.lanes.show(place, self.redactor.redact(text));
        }
    }

    /// Nothing is going on with it any more.
    pub(super) fn end_lane(&mut self, place: usize) {
        self.lanes.end(place);
    }

    /// Nothing is going on any more.
    pub(super) fn idle(&mut self) {
        self.lanes.clear();
        if let Some(progress) = self.progress.take() {
            progress.finish_and_clear();
        }
    }

    /// Asks a question and waits for a line; none at the end of the input. Whoever
    /// waits no longer leaves a thread behind that does, until the process ends.
    pub(super) async fn ask(&mut self, question: &str) -> Option<String> {
        self.idle();
        eprint!("{question} ");
        let _ = io::stderr().flush();
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            let mut answer = String::new();
            let read = io::stdin().lock().read_line(&mut answer);
            tell.send(read.is_ok_and(|bytes| bytes > 0).then(|| answer.trim().to_owned()))
        });
        told.await.ok().flatten()
    }

    /// Shows that a server is asked, until it has answered. An interrupt ends it in order.
    ///
    /// # Errors
    /// Returns the question's own errors; [`WorkflowError::Declined`] where it was interrupted.
    pub(super) async fn asking<T>(
        &mut self,
        question: impl Future<Output = Result<T, WorkflowError>>,
    ) -> Result<T, WorkflowError> {
        let interrupts = self.interrupts();
        interrupts.gate().close();
        self.busy("asking the server");
        let asked = interrupts.or(question).await;
        self.idle();
        asked
    }

    /// Asks a question; anything but yes is no, and so is an interrupt.
    pub(super) async fn confirm(&mut self, question: &str) -> bool {
        let interrupts = self.interrupts();
        interrupts.gate().close();
        let question = format!("{question} [y/N]");
        let answer = select! {
            answer = self.ask(&question) => answer.unwrap_or_default(),
            _ = interrupts.next() => String::new(),
        };
        matches!(answer.to_lowercase().as_str(), "y" | "yes" | "s" | "si" | "sí")
    }

    /// Prints rows under headings, as wide as they have to be.
    pub(super) fn table<const N: usize>(&self, headings: [&str; N], rows: &[[String; N]]) {
        let mut widths = headings.map(str::len);
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: [&str; N]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.result(&self.paint(Style::Bold, &line(headings)));
        for row in rows {
            self.result(&line(row.each_ref().map(String::as_str)));
        }
    }

    /// Says that a command is missing.
    pub(super) fn no_command(&mut self) -> ExitCode {
        self.error_line("nothing to do", Some("deploy --host HOSTNAME --branch BRANCH, or --help"));
        ExitCode::Usage
    }

    /// Prints an error with its causes, once.
    pub(super) fn error(&mut self, error: &dyn Error, hint: Option<&str>) {
        self.error_line(&with_causes(error), hint);
    }

    fn error_line(&mut self, text: &str, hint: Option<&str>) {
        self.idle();
        let label = self.paint(Style::Red, "error:");
        self.note(&format!("{label} {text}"));
        self.hint(hint);
        let object =
            json!({ "schema": json::SCHEMA, "event": "error", "message": text, "hint": hint });
        self.json(&object);
    }

    /// Prints the next move.
    pub(super) fn hint(&mut self, hint: Option<&str>) {
        if let Some(hint) = hint {
            let label = self.paint(Style::Cyan, "hint:");
            self.note(&format!("{label} {hint}"));
        }
    }

    /// Prints why a step failed.
    pub(super) fn step_failure(&mut self, failure: &Failure) {
        self.error_line(
            &format!("failed to {}: {}", failure.step, failure.message),
            failure.hint.as_deref(),
        );
        self.details(&failure.details);
    }

    fn details(&mut self, lines: &[String]) {
        for line in lines {
            let line = self.paint(Style::Dim, &format!("  | {line}"));
            self.note(&line);
        }
    }

    /// Prints every fault of a configuration, each with its line.
    pub(super) fn config_error(&mut self, error: &ConfigError) {
        for fault in error.faults() {
            self.error_line(&fault.message, None);
            self.place(&fault.origin.to_string(), &fault.origin.text);
            self.hint(fault.hint.as_deref());
        }
    }

    fn place(&mut self, place: &str, line: &str) {
        self.note(&format!("  --> {place}"));
        if !line.trim().is_empty() {
            self.note(&format!("   |  {}", line.trim_end()));
        }
    }

    /// Prints what the linter found.
    pub(super) fn finding(&mut self, finding: &Finding) {
        let label = match finding.severity {
            Severity::Error => self.paint(Style::Red, "error"),
            Severity::Warning => self.paint(Style::Yellow, "warning"),
        };
        self.note(&format!("{label}[{}]: {}", finding.rule, finding.message));
        self.place(&finding.origin.to_string(), &finding.origin.text);
        self.hint(Some(&finding.hint));
        self.json(&json!({
            "schema": json::SCHEMA,
            "event": "finding",
            "rule": finding.rule.to_string(),
            "severity": finding.severity.to_string(),
            "file": finding.origin.file,
            "line": finding.origin.line,
            "message": finding.message,
            "hint": finding.hint,
        }));
    }

    /// Prints how a lint ended.
    pub(super) fn lint_summary(&self, hosts: usize, errors: usize, warnings: usize) {
        self.result(&format!("{hosts} hosts, {errors} errors, {warnings} warnings"));
        self.json(&json!({
            "schema": json::SCHEMA,
            "event": "lint",
            "hosts": hosts,
            "errors": errors,
            "warnings": warnings,
        }));
    }

    fn obstacles(&mut self, obstacles: &[Obstacle]) {
        for obstacle in obstacles {
            self.error_line(&obstacle.message, obstacle.hint.as_deref());
            self.details(&obstacle.details);
        }
        self.note("nothing was touched");
    }

    /// Prints an error that ended a command, and returns its exit code.
    pub(super) fn failure(&mut self, error: &WorkflowError) -> ExitCode {
        self.idle();
        match error {
            WorkflowError::Config(config) => self.config_error(config),
            WorkflowError::Lint(findings) => {
                findings.iter().for_each(|finding| self.finding(finding));
                self.error(error, Some("correct the file, or look the rule up in the reference"));
            }
            WorkflowError::Obstacles(obstacles) => self.obstacles(obstacles),
            WorkflowError::Dns { left, .. } => {
                self.error(error, error.hint().as_deref());
                left.iter().for_each(|problem| self.warning(problem));
                if left.is_empty() {
                    self.note("nothing was touched");
                }
            }
            WorkflowError::Locked(holder) => {
                let who = holder.as_ref().map(words::held_by);
                self.error_line(
                    &format!("{error}{}", who.map(|who| format!(": {who}")).unwrap_or_default()),
                    Some("wait for it with `--wait-lock 10m`"),
                );
            }
            WorkflowError::Stale(_) | WorkflowError::Used => {
                self.error(error, error.hint().as_deref());
                self.note("nothing was touched");
            }
            WorkflowError::Declined => self.note(&error.to_string()),
            WorkflowError::SetupRuns(holder) => {
                let who = holder.as_ref().map(words::held_by);
                let by = who.map(|who| format!(": by {who}")).unwrap_or_default();
                self.error_line(&format!("{error}{by}"), Some("run this again to follow it"));
            }
            WorkflowError::Source(_)
            | WorkflowError::Policy(_)
            | WorkflowError::Selection(_)
            | WorkflowError::Usage { .. }
            | WorkflowError::Transport(_)
            | WorkflowError::Fault(_)
            | WorkflowError::Render(_)
            | WorkflowError::OutOfTurn
            | WorkflowError::LostSight { .. }
            | WorkflowError::RemovalGoesOn { .. }
            | WorkflowError::RecordsLeft { .. }
            | WorkflowError::SetupLost { .. }
            | WorkflowError::SetupLeft { .. }
            | WorkflowError::LeftRunning { .. } => self.error(error, error.hint().as_deref()),
        }
        code_of(error)
    }
}

/// Decides whose fault an error is.
fn code_of(error: &WorkflowError) -> ExitCode {
    match error {
        WorkflowError::Config(_)
        | WorkflowError::Lint(_)
        | WorkflowError::Policy(_)
        | WorkflowError::Selection(_)
        | WorkflowError::Render(_)
        | WorkflowError::Usage { .. } => ExitCode::Usage,
        WorkflowError::Source(SourceError::Git { .. }) => ExitCode::Unreachable,
        WorkflowError::Source(_) => ExitCode::Usage,
        WorkflowError::Transport(TransportError::Payload(_)) => ExitCode::Usage,
        WorkflowError::Transport(error) if error.is_refusal() => ExitCode::Refused,
        WorkflowError::Transport(_)
        | WorkflowError::LostSight { .. }
        | WorkflowError::RemovalGoesOn { source: Some(_), .. }
        | WorkflowError::SetupLost { .. } => ExitCode::Unreachable,
        WorkflowError::Fault(fault) if fault.kind == crate::wire::FaultKind::Refused => {
            ExitCode::Refused
        }
        WorkflowError::Fault(fault) if fault.kind == crate::wire::FaultKind::Used => {
            ExitCode::Stale
        }
        WorkflowError::Stale(_) | WorkflowError::Used => ExitCode::Stale,
        WorkflowError::Fault(_) | WorkflowError::OutOfTurn => ExitCode::Bug,
        WorkflowError::Locked(_) | WorkflowError::SetupRuns(_) => ExitCode::Locked,
        WorkflowError::Obstacles(_) | WorkflowError::Dns { .. } => ExitCode::Refused,
        WorkflowError::RecordsLeft { .. } => ExitCode::Broken,
        WorkflowError::Declined
        | WorkflowError::LeftRunning { .. }
        | WorkflowError::RemovalGoesOn { source: None, .. }
        | WorkflowError::SetupLeft { .. } => ExitCode::Interrupted,
    }
}
