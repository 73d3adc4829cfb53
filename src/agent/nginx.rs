//! The door to nginx: checks a vhost before it is in place, and proves it after.

use std::{
    collections::BTreeSet,
    fs, io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{FileError, HttpClient, ProgramError, Server};

/// Where sites are, and how the names end that nginx reads there.
const SITES: [(&str, &str); 2] = [("/etc/nginx/sites-enabled", ""), ("/etc/nginx/conf.d", ".conf")];

/// The server's nginx.
#[derive(Debug, Clone, Copy)]
pub struct Nginx<'a> {
    server: &'a Server,
}

/// Where a vhost proves that nginx runs with it.
#[derive(Debug, Clone, Copy)]
pub struct Marker<'a> {
    /// The URL; its host is asked of this machine.
    pub url: &'a str,
    /// What its body must hold.
    pub expected: &'a str,
    /// How long nginx may take: old workers answer until the new ones are there.
    pub timeout: Duration,
}

/// nginx would not run, or does not run, with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum NginxError {
    /// A program did not start or failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The copy could not be staged.
    #[error(transparent)]
    File(#[from] FileError),
    /// nginx objects; its warnings count, as it ignores what it warns about.
    #[error("nginx rejects the configuration: {0}")]
    Rejected(String),
    /// Another program listens where nginx is to.
    #[error("port {port} is taken by `{program}`: nginx would silently keep its old configuration")]
    PortTaken {
        /// The port.
        port: u16,
        /// Who listens there, as far as it is known.
        program: String,
    },
    /// The marker did not come.
    #[error("nginx does not serve the new configuration: {url} answers {answer}")]
    NotServed {
        /// The marker's URL.
        url: String,
        /// What came instead.
        answer: String,
    },
}

/// Binds each first path over the second one, up to `--`, and becomes the program after it.
const COVERED: &str = "set -e
while [ \"$1\" != -- ]; do mount --no-mtab --bind \"$1\" \"$2\"; shift 2; done
shift
exec \"$@\"";

impl NginxError {
    /// Returns the next move, where there is one to name.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Program(_) | Self::File(_) => return None,
            Self::Rejected(_) => {
                "correct `[deploy.nginx]` of the host's file or `deployment/templates/nginx.conf.hbs`, and deploy again"
            }
            Self::PortTaken { .. } => {
                "stop that program, or choose another `port` in `[deploy.nginx]`"
            }
            Self::NotServed { .. } => "nginx's own error log on the server says why",
        };
        Some(text.to_owned())
    }
}

impl<'a> Nginx<'a> {
    /// Opens the server's nginx.
    #[must_use]
    pub const fn new(server: &'a Server) -> Self {
        Self { server }
    }

    /// Lists the files of sites that it reads where Debian and Ubuntu have them, by name.
    #[must_use]
    pub fn sites(&self) -> Vec<PathBuf> {
        let mut sites = Vec::new();
        for (directory, ending) in SITES {
            let directory = Path::new(directory);
            let entries = fs::read_dir(self.server.path(directory)).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let read = names.filter(|name| name.ends_with(ending) && !name.starts_with('.'));
            let mut paths: Vec<_> = read.map(|name| directory.join(name)).collect();
            paths.sort();
            sites.extend(paths);
        }
        sites
    }

    /// Checks the configuration that is in place.
    ///
    /// # Errors
    /// Fails when nginx would not start with it; warnings are returned.
    pub fn test(&self) -> Result<BTreeSet<String>, NginxError> {
        let mut command = self.server.command("nginx");
        judge(&self.server.output(command.arg("-t"))?)
    }

    /// Checks a vhost within the whole configuration, before it is in place and those that
    /// it takes the place of are set aside.
    ///
    /// The check runs where a copy of the vhosts' directory lies over the real
    /// one, so that every path means the same; nothing on disk changes.
    ///
    /// # Errors
    /// Returns what nginx objects to, warnings that are new among it, and ports
    /// that another program has.
    pub fn test_staged(
        &self,
        vhost: &Path,
        text: &str,
        aside: &[PathBuf],
    ) -> Result<(), NginxError> {
        let directory = vhost.parent().unwrap_or(vhost);
        let staging = self.stage(vhost, text, aside).map_err(FileError::at("stage", vhost))?;
        let nothing = tempfile::NamedTempFile::new().map_err(FileError::at("stage", vhost))?;
        let mut command = self.server.command("unshare");
        command.args(["--mount", "--propagation=private", "--", "sh", "-c", COVERED, "sh"]);
        command.arg(staging.path()).arg(directory);
        // What is not there needs no cover, and would be made by it.
        let is_covered =
            |path: &&PathBuf| path.parent() != Some(directory) && self.server.path(path).exists();
        for elsewhere in aside.iter().filter(is_covered) {
            command.arg(nothing.path()).arg(elsewhere);
        }
        command.args(["--", "nginx", "-t"]);
        let warnings = judge(&self.server.output(&mut command)?)?;
        if !warnings.is_empty() {
            // What others' vhosts make nginx warn about is theirs.
            let known = self.test().unwrap_or_default();
            if let Some(warning) = new_warning(&known, &warnings) {
                return Err(NginxError::Rejected(warning.to_owned()));
            }
        }
        self.check_ports(text)
    }

    /// Has nginx read its configuration again; it tells nothing about what became of it.
    ///
    /// # Errors
    /// Fails when nginx does not run.
    pub fn reload(&self) -> Result<(), NginxError> {
        let mut command = self.server.command("systemctl");
        self.server.run(command.args(["reload", "--", "nginx.service"]))?;
        Ok(())
    }

    /// Has nginx read its configuration again and waits until it answers with the marker.
    /// Debian's unit reloads by `nginx -s reload`, which refuses what `nginx -t` does; by a
    /// unit that only sends a signal, the marker does not come.
    ///
    /// # Errors
    /// Fails when it does not within the marker's time, with what nginx objects to, where
    /// it does.
    pub fn reload_proven(&self, marker: Marker<'_>) -> Result<(), NginxError> {
        self.reload().and_then(|()| self.prove(marker)).map_err(|error| match self.test() {
            Err(rejected @ NginxError::Rejected(_)) => rejected,
            _ => error,
        })
    }

    /// Fetches the marker until nginx answers with it.
    ///
    /// # Errors
    /// Fails when it does not within the marker's time.
    pub fn prove(&self, marker: Marker<'_>) -> Result<(), NginxError> {
        let client =
            HttpClient::new(IpAddr::V4(Ipv4Addr::LOCALHOST), marker.timeout.min(ONE_REQUEST));
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = match client.get(marker.url, &[]) {
                Ok(answer) if answer.status == 200 && answer.body.contains(marker.expected) => {
                    return Ok(());
                }
                Ok(answer) => match answer.location {
                    Some(location) => format!("status {} to {location}", answer.status),
                    None => format!("status {}", answer.status),
                },
                Err(error) => error.source.to_string(),
            };
            if begun.elapsed() >= marker.timeout {
                return Err(NginxError::NotServed { url: marker.url.to_owned(), answer });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tells whether nginx serves this very vhost: what it answers at the marker's path
    /// is a text of the vhost.
    #[must_use]
    pub fn serves(&self, host: &str, marker_path: &str, vhost: &str) -> bool {
        let client = HttpClient::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ONE_REQUEST);
        listen_ports(vhost).iter().any(|port| {
            let answer = client.get(&format!("http://{host}:{port}{marker_path}"), &[]);
            answer.is_ok_and(|answer| {
                let body = answer.body.trim();
                answer.status == 200 && !body.is_empty() && vhost.contains(body)
            })
        })
    }

    /// Copies the vhosts' directory, links as they are, with the new text in it.
    fn stage(&self, vhost: &Path, text: &str, aside: &[PathBuf]) -> io::Result<tempfile::TempDir> {
        let staging = tempfile::tempdir()?;
        let directory = vhost.parent().unwrap_or(vhost);
        for entry in fs::read_dir(self.server.path(directory))? {
            let entry = entry?;
            if aside.contains(&directory.join(entry.file_name())) {
                continue;
            }
            let target = staging.path().join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
            } else if kind.is_file() {
                fs::copy(entry.path(), target)?;
            }
        }
        let target = staging.path().join(vhost.file_name().unwrap_or_default());
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::write(target, text)?,
        }
        Ok(staging)
    }

    /// Finds a port of the vhost where another program listens.
    fn check_ports(&self, text: &str) -> Result<(), NginxError> {
        let mut command = self.server.command("ss");
        let listening = self.server.run(command.args(["-H", "-l", "-t", "-n", "-p"]))?;
        for port in listen_ports(text) {
            if let Some(program) = holder(&listening, port).filter(|name| name != "nginx") {
                return Err(NginxError::PortTaken { port, program });
            }
        }
        Ok(())
    }
}

const ONE_REQUEST: Duration = Duration::from_secs(5);
/// Between two looks whether new workers answer: nginx ends its old ones a tenth of a second
/// after the new ones are there, and until then either may answer.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Reads what `nginx -t` says; returns its warnings without time and process.
fn judge(output: &super::Output) -> Result<BTreeSet<String>, NginxError> {
    let of_level = |level: &str| -> BTreeSet<String> {
        let lines = output.stderr.lines().filter_map(|line| line.split_once(level));
        lines
            .map(|(_, rest)| rest.split_once(": ").map_or(rest, |(_, text)| text).to_owned())
            .collect()
    };
    if output.status.success() {
        return Ok(of_level("[warn] "));
    }
    let first =
        ["[emerg] ", "[crit] ", "[alert] ", "[error] "].into_iter().flat_map(of_level).next();
    Err(match first {
        Some(objection) => NginxError::Rejected(objection),
        // Where nothing is said in nginx's words, it was not nginx that failed.
        None => NginxError::Program(ProgramError::Status {
            program: "nginx -t".to_owned(),
            status: output.status,
            message: output.message(),
        }),
    })
}

/// Finds a warning that was not there before; one that only moved to another place is none.
fn new_warning<'a>(known: &'a BTreeSet<String>, found: &'a BTreeSet<String>) -> Option<&'a str> {
    let without_place = |warning: &str| match warning.rsplit_once(" in /") {
        Some((text, _)) => text.to_owned(),
        None => warning.to_owned(),
    };
    let count = |warnings: &BTreeSet<String>, text: &str| {
        warnings.iter().filter(|warning| without_place(warning) == text).count()
    };
    let is_new = |warning: &&String| {
        let text = without_place(warning);
        count(found, &text) > count(known, &text)
    };
    found.difference(known).find(is_new).map(String::as_str)
}

/// Returns the TCP ports of a vhost's `listen` directives.
fn listen_ports(text: &str) -> BTreeSet<u16> {
    let code = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let code = code.collect::<Vec<_>>().join(" ");
    let mut ports = BTreeSet::new();
    for directive in code.split([';', '{', '}']) {
        let mut words = directive.split_whitespace();
        if words.next() != Some("listen") {
            continue;
        }
        let Some(address) = words.next().filter(|address| !address.starts_with("unix:")) else {
            continue;
        };
        let udp = words.any(|word| word == "quic");
        let port = match address.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => port.parse().ok(),
            _ => address.parse().ok().or(Some(80)),
        };
        ports.extend(port.filter(|_| !udp));
    }
    ports
}

/// Finds who listens on a port, in the words of `ss -Hltnp`.
fn holder(listening: &str, port: u16) -> Option<String> {
    let suffix = format!(":{port}");
    let line = listening.lines().find(|line| {
        line.split_whitespace().nth(3).is_some_and(|address| address.ends_with(&suffix))
    })?;
    let name = line.split_once("((\"").and_then(|(_, rest)| rest.split_once('"'));
    Some(name.map_or_else(|| "another program".to_owned(), |(name, _)| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_a_vhost_are_read_from_it() {
        let text = "server { listen 80; listen [::]:80; # listen 1;\n listen 443 ssl http2;\n\
                    listen 127.0.0.1:8080; listen 443 quic; listen unix:/run/x; listen 10.0.0.1; }";
        assert_eq!(listen_ports(text), BTreeSet::from([80, 443, 8080]));
    }

    #[test]
    fn only_what_nginx_itself_says_is_its_objection() {
        let judged = |stderr: &str| {
            let status = std::os::unix::process::ExitStatusExt::from_raw(1 << 8);
            let (stdout, stderr) = (String::new(), stderr.to_owned());
            judge(&crate::agent::server::Output { status, stdout, stderr }).unwrap_err()
        };
        let objection = judged("nginx: [emerg] unknown directive \"x\" in /etc/nginx/a:1\n");
        assert!(objection.to_string().contains("unknown directive") && objection.hint().is_some());
        let other = judged("mount: /etc/nginx/sites-enabled: permission denied.\n");
        assert!(matches!(other, NginxError::Program(_)), "{other}");
    }

    #[test]
    fn a_warning_that_moved_is_not_new() {
        let warnings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let http2 =
            |place: &str| format!("the \"listen ... http2\" directive is deprecated in {place}");
        let (old, moved) = (http2("/etc/nginx/conf.d/odoo.conf:3"), http2("/etc/nginx/a:9"));
        let known = warnings(&[&old]);
        assert_eq!(new_warning(&known, &warnings(&[&moved])), None);
        assert_eq!(new_warning(&known, &warnings(&[&old, &moved])), Some(moved.as_str()));
        let twice = "conflicting server name \"a.example\" on 0.0.0.0:80, ignored";
        assert_eq!(new_warning(&known, &warnings(&[&old, twice])), Some(twice));
    }

    #[test]
    fn the_program_on_a_port_is_named() {
        let listening = "LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=74,fd=6))\n\
                         LISTEN 0 5 [::]:8080 [::]:*\n";
        assert_eq!(holder(listening, 22).as_deref(), Some("sshd"));
        assert_eq!(holder(listening, 8080).as_deref(), Some("another program"));
        assert_eq!(holder(listening, 80), None);
    }
}
