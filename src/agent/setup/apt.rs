//! Packages.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::{configure, work::Work};
use crate::{
    agent::{
        server::{FileError, ProgramError, Server},
        step::StepError,
    },
    setup::ConfigFile,
};

/// How long another apt is waited for: a server's first boot often updates by itself.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=600";
/// How long a download may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(1800);
/// How many lines of what failed are shown.
const SHOWN: usize = 12;

/// Fetches the lists of packages.
pub(super) fn update(work: &mut Work<'_>) -> Result<(), StepError> {
    run(work, "fetch the lists of packages", &["update"], &[])
}

/// Fetches the list of one source, which has to be good: what others lack is not its fault.
fn update_one(work: &mut Work<'_>, source: &Path) -> Result<(), StepError> {
    let list = format!("Dir::Etc::SourceList={}", source.display());
    let only = ["-o", &list, "-o", "Dir::Etc::SourceParts=-", "-o", "APT::Get::List-Cleanup=0"];
    let verb = [&only[..], &["-o", "APT::Update::Error-Mode=any", "update"]].concat();
    run(work, "read the package source", &verb, &[])
}

/// Installs packages; one that dpkg was interrupted at is completed first.
pub(super) fn install(work: &mut Work<'_>, names: &[String]) -> Result<(), StepError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    install_all(work, &names)
}

/// The same for names or paths of `.deb` files, each with a slash in it.
pub(super) fn install_all(work: &mut Work<'_>, names: &[&str]) -> Result<(), StepError> {
    let server = work.server;
    server.run(prepare(server.command("dpkg").args(["--configure", "-a"])))?;
    run(work, "install packages", &["install", "--no-install-recommends", "--"], names)
}

/// Makes a package source known. Its key is there before it, else nothing of it counts.
pub(super) fn add_repository(
    work: &mut Work<'_>,
    source: &ConfigFile,
    key: &str,
    keyring: &Path,
) -> Result<(), StepError> {
    let text = fetch_text(key)?;
    if !text.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
        return Err(StepError::found(format!("`{key}` is no armored public key"))
            .with_hint("name the vendor's key as `gpg --armor --export` writes it"));
    }
    let server = work.server;
    let keyring = ConfigFile { path: keyring.to_owned(), text, mode: 0o644 };
    configure::write(server, &keyring)?;
    configure::write(server, source)?;
    update_one(work, &source.path).inspect_err(|_| {
        // A source that cannot be read would be complained about for ever.
        let _ = server.remove_file(&source.path);
    })
}

/// Downloads a file to a place on the server.
pub(super) fn download(server: &Server, url: &str, into: &Path) -> Result<(), StepError> {
    let parent = into.parent().expect("a file has a directory");
    super::create_directory(server, parent, 0o755)?;
    let mut reader = open(url)?.into_body().into_reader();
    let mut file = tempfile::NamedTempFile::new_in(server.path(parent))
        .map_err(FileError::at("create a file in", parent))?;
    std::io::copy(&mut reader, &mut file)
        .map_err(|error| StepError::found(format!("failed to download `{url}`: {error}")))?;
    file.persist(server.path(into)).map_err(|error| FileError::at("write", into)(error.error))?;
    // apt reads it as a user of its own.
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(server.path(into), fs::Permissions::from_mode(0o644))
        .map_err(FileError::at("set the mode of", into))?;
    Ok(())
}

fn fetch_text(url: &str) -> Result<String, StepError> {
    let read = open(url)?.into_body().read_to_string();
    read.map_err(|error| StepError::found(format!("failed to download `{url}`: {error}")))
}

fn open(url: &str) -> Result<ureq::http::Response<ureq::Body>, StepError> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(DOWNLOAD_TIMEOUT))
        .tls_config(
            ureq::tls::TlsConfig::builder()
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        )
        .build();
    ureq::Agent::new_with_config(config).get(url).call().map_err(|error| {
        StepError::found(format!("failed to download `{url}`: {error}"))
            .with_hint("check the address under [odoo.…] of config/deploy.toml, and that the server may reach it")
    })
}

fn prepare(command: &mut Command) -> &mut Command {
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        // It only lists what would have to be restarted, and asks nothing.
        .env("NEEDRESTART_MODE", "l")
}

fn run(work: &mut Work<'_>, what: &str, verb: &[&str], names: &[&str]) -> Result<(), StepError> {
    let mut command = work.server.command("apt-get");
    prepare(&mut command)
        .args(["-y", "-q", "-o", LOCK_TIMEOUT, "-o", "APT::Status-Fd=1"])
        // A file of configuration that somebody changed stays.
        .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
        .args(["-o", "Acquire::Retries=3"])
        .args(verb)
        .args(names)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = |source| ProgramError::Start { program: "apt-get".to_owned(), source };
    let mut child = command.spawn().map_err(start)?;
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut said = Vec::new();
    for line in stdout.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        match progress(&line) {
            Some(text) => work.log.progress(&text),
            None => said.push(line),
        }
    }
    let status = child.wait().map_err(start)?;
    let errors = errors.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    Err(failure(what, &said, &errors))
}

/// Reads a line of `APT::Status-Fd`: `pmstatus:nginx:42.5:Unpacking nginx (amd64)`.
fn progress(line: &str) -> Option<String> {
    let mut fields = line.splitn(4, ':');
    let kind = fields.next()?;
    if !matches!(kind, "pmstatus" | "dlstatus") {
        return None;
    }
    let percent: f64 = fields.nth(1)?.parse().ok()?;
    Some(format!("{percent:.0} %, {}", fields.next()?.trim()))
}

/// Finds the sentence that says why apt failed; dpkg's own words come before it.
fn failure(what: &str, said: &[String], errors: &str) -> StepError {
    let lines: Vec<&str> = errors.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.iter().find_map(|line| line.strip_prefix("E: "));
    let reason = first.unwrap_or("apt-get ended without a word");
    let mut details: Vec<String> = said
        .iter()
        .filter(|line| line.starts_with("dpkg: error") || line.starts_with(" installed "))
        .cloned()
        .collect();
    details.extend(lines.iter().map(|line| (*line).to_owned()));
    let cut = details.len().saturating_sub(SHOWN);
    let error = StepError::found(format!("failed to {what}: {reason}"))
        .with_details(details.split_off(cut));
    let has = |text: &str| errors.contains(text);
    if has("Unable to locate package") || has("has no installation candidate") {
        error.with_hint("the server's package sources do not have it: see /etc/apt/sources.list.d")
    } else if has("Could not get lock") || has("is locked") {
        error.with_hint("another apt runs on the server; wait for it and run the setup again")
    } else if has("Failed to fetch") || has("Could not resolve") || has("Unable to connect") {
        error.with_hint(
            "the server cannot reach its package sources; run the setup again when it can",
        )
    } else {
        error
    }
}

/// Removes a package file that was installed.
pub(super) fn forget(server: &Server, path: &Path) {
    let _ = fs::remove_file(server.path(path));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apts_status_lines_become_progress() {
        let line = "pmstatus:nginx:42.5000:Unpacking nginx (amd64)";
        assert_eq!(progress(line).as_deref(), Some("42 %, Unpacking nginx (amd64)"));
        assert_eq!(progress("Reading package lists..."), None);
    }

    #[test]
    fn a_failure_names_the_package_and_what_is_to_be_done() {
        let errors = "W: something\nE: Unable to locate package odoo-99\n";
        let error = failure("install packages", &[], errors);
        assert_eq!(
            error.to_string(),
            "failed to install packages: Unable to locate package odoo-99"
        );
        assert!(error.hint().unwrap().contains("package sources"));
        let said = ["dpkg: error processing package nginx (--configure):".to_owned()];
        let errors = "E: Sub-process /usr/bin/dpkg returned an error code (1)\n";
        let error = failure("install packages", &said, errors);
        assert_eq!(error.details()[0], said[0]);
    }
}
