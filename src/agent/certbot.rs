//! The door to certbot: has an authority certify names, and looks after what came of it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    server::{FileError, Server},
    step::StepError,
};
use crate::{
    host::HostName,
    layout::{ACME_WEBROOT, LETSENCRYPT},
    plan::{ObtainCertificate, ObtainedBy},
};

/// How long another certbot may take: its timer may just renew what else is on the server.
const PATIENCE: Duration = Duration::from_secs(120);

/// The files of a certificate, as certbot names them.
const FILES: [&str; 4] = ["cert", "privkey", "chain", "fullchain"];

/// Where a certificate comes to count: nginx has to read it again.
const RELOAD: &str = "systemctl reload nginx.service";

/// A certificate under certbot's care, by its name.
pub(super) struct Lineage<'a> {
    server: &'a Server,
    name: &'a HostName,
}

/// Tells whether certbot is installed.
pub(super) fn is_there(server: &Server) -> bool {
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    places.iter().any(|place| server.path(&Path::new(place).join("certbot")).exists())
}

/// Has the authority certify the names, whatever is there.
///
/// # Errors
/// Says in one line what the authority, or the way to it, objects to.
pub(super) fn obtain(
    server: &Server,
    step: &ObtainCertificate,
    roots: Option<&Path>,
) -> Result<(), StepError> {
    let name = step.names.first().expect("a certificate has a name");
    let begun = Instant::now();
    loop {
        let mut command = server.command("certbot");
        command
            .args(["certonly", "--non-interactive", "--agree-tos", "--no-eff-email"])
            .arg(format!("--email={}", step.email))
            .arg(format!("--server={}", step.directory))
            .args(["--webroot", &format!("--webroot-path={ACME_WEBROOT}")])
            .arg(format!("--cert-name={name}"))
            .args(["--force-renewal", "--renew-with-new-domains"])
            .arg(format!("--deploy-hook={RELOAD}"))
            .args(step.names.iter().map(|name| format!("--domain={name}")));
        if let Some(roots) = roots {
            command.env("REQUESTS_CA_BUNDLE", server.path(roots));
        }
        let output = server.output(&mut command)?;
        if output.status.success() {
            return Ok(());
        }
        let said = format!("{}\n{}", output.stdout, output.stderr);
        if !said.contains("Another instance of Certbot") || begun.elapsed() > PATIENCE {
            return Err(refusal(&said, &step.directory));
        }
        thread::sleep(Duration::from_secs(2));
    }
}

/// Finds in what certbot said why it came to nothing.
fn refusal(said: &str, directory: &str) -> StepError {
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    let problems = domain_problems(&lines);
    if let Some((domain, kind, detail)) = problems.first() {
        let hint = match *kind {
            "caa" => "the DNS says by a CAA record which authorities may certify the name",
            _ => {
                "every name, aliases too, has to lead to port 80 of this server: look at its DNS records and the firewall"
            }
        };
        let details = problems.iter().skip(1);
        return StepError::found(format!("{directory} could not check {domain}: {detail}"))
            .with_hint(hint)
            .with_details(
                details.map(|(domain, _, detail)| format!("{domain}: {detail}")).collect(),
            );
    }
    let why = lines
        .iter()
        .position(|line| line.starts_with("An unexpected error occurred"))
        .and_then(|at| lines.get(at + 1))
        .or_else(|| lines.iter().rev().find(|line| !line.is_empty() && !is_advice(line)));
    let why = why.copied().unwrap_or("certbot says nothing");
    let why = why.strip_prefix("ValueError: ").unwrap_or(why);
    let (what, hint) = if said.contains("CERTIFICATE_VERIFY_FAILED") {
        (
            "is not trusted",
            "name the root of its own certificate by `ca` in `[acme]` of config/deploy.toml",
        )
    } else if is_rate_limited(said) {
        (
            "refuses",
            "its limits are a matter of hours, or of a week for the same names; its staging directory has higher ones",
        )
    } else if ["Connection refused", "Max retries exceeded", "resolve", "Requesting "]
        .iter()
        .any(|text| why.contains(text))
    {
        (
            "cannot be reached",
            "the server has to reach it: look at `directory` in `[acme]`, its DNS and the firewall",
        )
    } else {
        ("refuses", "/var/log/letsencrypt/letsencrypt.log on the server has more")
    };
    StepError::found(format!("{directory} {what}: {why}")).with_hint(hint)
}

fn is_rate_limited(said: &str) -> bool {
    ["urn:ietf:params:acme:error:rateLimited", "too many requests", "too many certificates"]
        .iter()
        .any(|text| said.contains(text))
}

fn is_advice(line: &str) -> bool {
    line.starts_with("Ask for help") || line.starts_with("See the logfile")
}

/// Reads the authority's answers, `Domain: …`, `Type: …`, `Detail: …` in three lines.
fn domain_problems<'a>(lines: &[&'a str]) -> Vec<(&'a str, &'a str, &'a str)> {
    let value = |line: &&'a str, key: &str| line.strip_prefix(key).map(str::trim);
    let problem = |lines: &[&'a str]| {
        let [domain, kind, detail] = lines else { return None };
        Some((value(domain, "Domain:")?, value(kind, "Type:")?, value(detail, "Detail:")?))
    };
    lines.windows(3).filter_map(problem).collect()
}

impl<'a> Lineage<'a> {
    /// Names a certificate, which need not be there.
    pub(super) const fn new(server: &'a Server, name: &'a HostName) -> Self {
        Self { server, name }
    }

    /// Returns what it is renewed by.
    pub(super) fn renewal(&self) -> PathBuf {
        Path::new(LETSENCRYPT).join("renewal").join(format!("{}.conf", self.name))
    }

    /// Returns the directory of the version that counts.
    pub(super) fn live(&self) -> PathBuf {
        Path::new(LETSENCRYPT).join("live").join(self.name.as_str())
    }

    fn archive(&self) -> PathBuf {
        Path::new(LETSENCRYPT).join("archive").join(self.name.as_str())
    }

    /// Returns the directory of the authority that renews it; none where nothing is renewed.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(super) fn directory(&self) -> Result<Option<String>, FileError> {
        let text = self.server.read(&self.renewal())?.unwrap_or_default();
        let directory = text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "server").then(|| value.trim().to_owned())
        });
        Ok(directory)
    }

    /// Returns the number of the version that counts; none where there is none, or not all
    /// of it.
    pub(super) fn version(&self) -> Option<u32> {
        let number = |file: &str| {
            let link = self.server.path(&self.live().join(format!("{file}.pem")));
            let target = fs::read_link(&link).ok().filter(|_| link.exists())?;
            let name = target.file_name()?.to_str()?;
            name.strip_prefix(file)?.strip_suffix(".pem")?.parse().ok()
        };
        let [first, rest @ ..] = FILES.map(number);
        let is_whole = self.server.path(&self.renewal()).exists();
        first.filter(|_| is_whole && rest.iter().all(|other| *other == first))
    }

    /// Has an earlier version count again; later ones are removed, or the next renewal
    /// would bring them back.
    ///
    /// # Errors
    /// Fails when a file cannot be replaced or removed.
    pub(super) fn go_back_to(&self, version: u32) -> Result<(), FileError> {
        for file in FILES {
            let link = self.live().join(format!("{file}.pem"));
            let new = self.live().join(format!(".{file}.new"));
            self.server.remove_file(&new)?;
            let name = self.name;
            symlink(format!("../../archive/{name}/{file}{version}.pem"), self.server.path(&new))
                .and_then(|()| fs::rename(self.server.path(&new), self.server.path(&link)))
                .map_err(FileError::at("replace", &link))?;
        }
        let archive = self.archive();
        let entries = fs::read_dir(self.server.path(&archive));
        for entry in entries.map_err(FileError::at("list", &archive))?.flatten() {
            let name = entry.file_name();
            let number = FILES.iter().find_map(|file| {
                let rest = name.to_str()?.strip_prefix(file)?.strip_suffix(".pem")?;
                rest.parse::<u32>().ok()
            });
            if number.is_some_and(|number| number > version) {
                self.server.remove_file(&archive.join(name))?;
            }
        }
        Ok(())
    }

    /// Tells who had it obtained: what the tool obtains is renewed from the tool's webroot.
    /// None where nothing of it is there.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(super) fn obtained_by(&self) -> Result<Option<ObtainedBy>, FileError> {
        let renewal = self.server.read(&self.renewal())?;
        let names_webroot = |line: &str| {
            let value = line.split_once('=').map_or("", |(_, value)| value);
            value.split(',').any(|path| Path::new(path.trim()) == Path::new(ACME_WEBROOT))
        };
        if renewal.as_deref().is_some_and(|text| text.lines().any(names_webroot)) {
            return Ok(Some(ObtainedBy::Tool));
        }
        let there = |path: PathBuf| self.server.path(&path).symlink_metadata().is_ok();
        let is_there = renewal.is_some() || there(self.live()) || there(self.archive());
        Ok(is_there.then_some(ObtainedBy::Somebody))
    }

    /// Removes it with its keys, and its renewal, as `certbot delete` does; certbot need not
    /// be there. What tells whose it is goes last.
    ///
    /// # Errors
    /// Fails when something cannot be removed.
    pub(super) fn forget(&self) -> Result<(), FileError> {
        for directory in [self.live(), self.archive()] {
            self.server.remove_directory(&directory)?;
        }
        self.server.remove_file(&self.renewal())
    }
}

#[cfg(test)]
mod tests;
