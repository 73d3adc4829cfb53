//! The password of user `admin`, set by Odoo's own code.

use std::{
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
    thread,
    time::Duration,
};

use serde::Deserialize;

use super::{
    OdooProgram, OdooRunError,
    script::{Script, script},
};
use crate::{
    agent::{ProgramError, Server},
    host::DatabaseName,
};

const SCRIPT: &str = script!("set_password.py");

/// A password that is to be set, in a unit of its own.
#[derive(Clone, Copy)]
pub struct PasswordChange<'a> {
    /// The transient unit's name.
    pub unit: &'a str,
    /// The release's odoo.conf.
    pub conf: &'a Path,
    /// The database.
    pub database: &'a DatabaseName,
    /// The password; it goes to the program's stdin.
    pub password: &'a str,
    /// The longest it may take.
    pub timeout: Duration,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Set {
        #[serde(rename = "login")]
        _login: String,
    },
    Failed {
        error: String,
    },
}

impl OdooProgram {
    /// Sets the password of user `admin`. Returns why not, where Odoo does not.
    ///
    /// # Errors
    /// Fails when the program does not run or gives no answer.
    pub fn set_admin_password(
        &self,
        server: &Server,
        change: &PasswordChange<'_>,
    ) -> Result<Option<String>, OdooRunError> {
        let PasswordChange { unit, conf, timeout, .. } = *change;
        let script = Script { text: SCRIPT, unit, conf, timeout };
        let mut command = self.script(server, &script);
        command.arg(change.database.as_str());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = feed(&mut command, change.password)
            .map_err(|source| ProgramError::Start { program: "systemd-run".to_owned(), source })?;
        let answer = String::from_utf8_lossy(&output.stdout);
        match serde_json::from_str(&answer) {
            Ok(Answer::Set { .. }) => Ok(None),
            Ok(Answer::Failed { error }) => Ok(Some(error)),
            Err(_) => Err(OdooRunError::NoAnswer(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            )),
        }
    }
}

fn feed(command: &mut std::process::Command, input: &str) -> std::io::Result<Output> {
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("stdin was piped");
    thread::scope(|scope| {
        // A program that ended early says why on stderr; the broken pipe adds nothing.
        scope.spawn(move || stdin.write_all(input.as_bytes()).ok());
        child.wait_with_output()
    })
}
