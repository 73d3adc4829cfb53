//! Scripts that run inside Odoo's own code.

use std::{path::Path, process::Command, time::Duration};

use super::{CHECK_SESSION, OdooProgram, escaped, escaped_path};
use crate::agent::Server;

/// A script's text behind what all of them begin with.
macro_rules! script {
    ($file:literal) => {
        concat!(include_str!("prelude.py"), include_str!($file))
    };
}
pub(super) use script;

/// A script that runs as Odoo's user.
pub(super) struct Script<'a> {
    /// Its text, by [`script!`].
    pub(super) text: &'a str,
    /// The transient unit's name.
    pub(super) unit: &'a str,
    /// The release's odoo.conf.
    pub(super) conf: &'a Path,
    /// The longest it may take.
    pub(super) timeout: Duration,
}

impl OdooProgram {
    /// Prepares a script; its own arguments come behind.
    pub(super) fn script(&self, server: &Server, script: &Script<'_>) -> Command {
        let mut command = self.transient(server, script.timeout, CHECK_SESSION);
        command.arg("--unit").arg(script.unit);
        command.args(["--quiet", "--pipe", "--"]).arg(&self.python).args(["-B", "-c"]);
        command
            .arg(escaped(script.text))
            .arg(escaped_path(&self.path))
            .arg(escaped_path(script.conf));
        command
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An Odoo with just what the scripts ask of it; what is imported prints.
    const ODOO: [(&str, &str); 7] = [
        ("__init__.py", "print('noise', flush=True)\n"),
        ("cli.py", ""),
        ("modules/__init__.py", ""),
        (
            "modules/module.py",
            "def initialize_sys_path(): print('more noise', flush=True)\n\
             def get_manifest(name):\n\
             \x20   if name == 'shop':\n\
             \x20       return {'depends': ['base'], 'external_dependencies': {'bin': ['nope']}}\n",
        ),
        (
            "tools/__init__.py",
            "class config:\n\
             \x20   parse_config = print\n\
             def find_in_path(name): raise OSError('not found')\n",
        ),
        ("addons/base/__init__.py", ""),
        ("addons/shop/__init__.py", "print('loud', flush=True)\nraise ValueError('broken')\n"),
    ];

    fn run(text: &str) -> serde_json::Value {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in ODOO {
            let path = root.path().join("odoo").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let server = Server::this();
        let mut command = server.command("python3");
        command.args(["-B", "-c", text]).arg(root.path().join("odoo-bin"));
        let output = server.output(command.args(["/etc/odoo.conf", "shop"])).unwrap();
        assert!(output.stderr.contains("noise"), "{output:?}");
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    #[test]
    fn a_script_answers_whatever_modules_print() {
        let missing = run(script!("dependencies.py"));
        let cause = "not found";
        let expected = serde_json::json!([{ "module": "shop", "bin": "nope", "cause": cause }]);
        assert_eq!(missing, expected);
        let failures = run(script!("import_check.py"));
        assert_eq!(failures[0]["cause"], "ValueError: broken");
        assert_eq!(failures[0]["module"], "shop");
        let answer = run(script!("set_password.py"));
        assert!(answer["error"].as_str().unwrap().starts_with("ImportError: "), "{answer}");
    }
}
