//! What manifests ask for besides modules, checked by Odoo's own rule.

use std::{fmt, path::Path};

use serde::Deserialize;

use super::{
    OdooProgram, OdooRunError,
    script::{Script, script},
};
use crate::{agent::Server, host::ModuleName};

const SCRIPT: &str = script!("dependencies.py");
/// How long the look may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(300);

/// A look at the manifests of modules and of all that they depend on.
#[derive(Debug, Clone, Copy)]
pub struct DependencyCheck<'a> {
    /// The transient unit's name.
    pub unit: &'a str,
    /// The release's odoo.conf.
    pub conf: &'a Path,
    /// The modules.
    pub modules: &'a [ModuleName],
}

/// Something that a manifest asks for and the server does not have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MissingDependency {
    /// The module.
    pub module: String,
    /// The Python package or module.
    pub python: Option<String>,
    /// The program.
    pub bin: Option<String>,
    /// Odoo's words.
    pub cause: String,
}

impl fmt::Display for MissingDependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, python, bin, cause } = self;
        match (python, bin) {
            (Some(name), _) => {
                write!(f, "module `{module}` needs the Python package `{name}`: {cause}")
            }
            (None, Some(name)) => {
                write!(f, "module `{module}` needs the program `{name}`: {cause}")
            }
            (None, None) => write!(f, "module `{module}`: {cause}"),
        }
    }
}

impl OdooProgram {
    /// Returns what is missing.
    ///
    /// # Errors
    /// Fails when the look itself does not come to its end.
    pub fn missing_dependencies(
        &self,
        server: &Server,
        check: &DependencyCheck<'_>,
    ) -> Result<Vec<MissingDependency>, OdooRunError> {
        let DependencyCheck { unit, conf, .. } = *check;
        let script = Script { text: SCRIPT, unit, conf, timeout: TIMEOUT };
        let mut command = self.script(server, &script);
        command.args(check.modules.iter().map(ModuleName::as_str));
        let output = server.output(&mut command)?;
        serde_json::from_str(&output.stdout).map_err(|_| OdooRunError::NoAnswer(output.message()))
    }
}
