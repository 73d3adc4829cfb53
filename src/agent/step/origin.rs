//! Certificates from Cloudflare: their keys are made on the server and never leave it.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::{StepError, release};
use crate::{
    agent::{
        server::{FileError, ProgramError, Server},
        transaction::Run,
        undo::Undo,
    },
    host::HostName,
    layout::Layout,
    plan::InstallCertificate,
};

/// The files of a certificate.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// Makes a key, which stays here, and the request to certify it.
///
/// # Errors
/// Fails when openssl does, or the key cannot be kept.
pub(in crate::agent) fn signing_request(
    server: &Server,
    host: &HostName,
    names: &[HostName],
) -> Result<String, ProgramError> {
    let key = server.path(&Layout::new(host.clone()).waiting_key());
    let fail = |source| ProgramError::Start { program: "openssl".to_owned(), source };
    if let Some(directory) = key.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fail)?;
    }
    let names: Vec<_> = names.iter().map(|name| format!("DNS:{name}")).collect();
    let mut command = server.command("openssl");
    // Nobody but root may read it, not even for a moment.
    fs::write(&key, "").map_err(fail)?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).map_err(fail)?;
    command
        .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .arg("-keyout")
        .arg(&key)
        // A common name has 64 characters at most, and counts for nothing beside the others.
        .args(["-subj", "/CN=odoo-deploy", "-addext"])
        .arg(format!("subjectAltName={}", names.join(",")));
    server.run(&mut command)
}

/// Tells how the certificate that counts now comes to count again.
pub(super) fn way_back(run: &Run<'_>) -> Vec<Undo> {
    let target = fs::read_link(run.server.path(&run.layout.origin_certificate())).ok();
    vec![Undo::OriginBack { target, directory: directory(run) }]
}

/// Each transaction's certificate has a directory of its own.
fn directory(run: &Run<'_>) -> PathBuf {
    run.layout.origin_certificates().join(run.transaction.id.as_str())
}

/// Puts the certificate in place, with the key that was made for it.
pub(super) fn install(run: &mut Run<'_>, step: &InstallCertificate) -> Result<(), StepError> {
    let Some(certificate) = &step.certificate else {
        return Err(StepError::found("the plan came without its certificate"));
    };
    let waiting = run.layout.waiting_key();
    let key = run.server.read(&waiting)?.filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| {
        StepError::found("the key of the certificate is gone").with_hint("deploy again")
    })?;
    forget_earlier(run)?;
    let new = directory(run);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(run.server.path(&new))
        .map_err(FileError::at("create", &new))?;
    release::replace(run.server, &new.join(KEY), &key, 0o600)?;
    release::replace(run.server, &new.join(CERTIFICATE), certificate, 0o644)?;
    check_pair(run.server, &new)?;
    point(run.server, &run.layout, Path::new(run.transaction.id.as_str()))?;
    run.server.remove_file(&waiting)?;
    Ok(())
}

/// Two deploys at once may have asked for certificates: each key has its own.
fn check_pair(server: &Server, directory: &Path) -> Result<(), StepError> {
    let mut of_certificate = server.command("openssl");
    let certificate = server.path(&directory.join(CERTIFICATE));
    of_certificate.args(["x509", "-noout", "-pubkey", "-in"]).arg(certificate);
    let mut of_key = server.command("openssl");
    of_key.args(["pkey", "-pubout", "-in"]).arg(server.path(&directory.join(KEY)));
    if server.run(&mut of_certificate)? == server.run(&mut of_key)? {
        return Ok(());
    }
    Err(StepError::found("the certificate is not one of this server's key")
        .with_hint("deploy again"))
}

/// Removes what no transaction goes back to any more.
fn forget_earlier(run: &Run<'_>) -> Result<(), FileError> {
    let all = run.layout.origin_certificates();
    let live = fs::read_link(run.server.path(&run.layout.origin_certificate())).ok();
    for entry in fs::read_dir(run.server.path(&all)).into_iter().flatten().flatten() {
        let name = PathBuf::from(entry.file_name());
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && live.as_ref() != Some(&name) {
            run.server.remove_directory(&all.join(name))?;
        }
    }
    Ok(())
}

/// Has a certificate count, with its key, at one moment.
fn point(server: &Server, layout: &Layout, target: &Path) -> Result<(), FileError> {
    let link = layout.origin_certificate();
    let new = layout.origin_certificates().join(".current.new");
    server.remove_file(&new)?;
    symlink(target, server.path(&new))
        .and_then(|()| fs::rename(server.path(&new), server.path(&link)))
        .map_err(FileError::at("replace", &link))
}

/// Has the certificate of before count again.
pub(in crate::agent) fn take_back(
    run: &mut Run<'_>,
    target: Option<&Path>,
    directory: &Path,
) -> Result<(), StepError> {
    match target {
        Some(target) => point(run.server, &run.layout, target)?,
        None => run.server.remove_file(&run.layout.origin_certificate())?,
    }
    run.server.remove_directory(directory)?;
    let all = run.layout.origin_certificates();
    if target.is_none() {
        // What another put there stays.
        let _ = fs::remove_dir(run.server.path(&all));
    }
    Ok(())
}
