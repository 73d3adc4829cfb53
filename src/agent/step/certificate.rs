//! Certificates from an authority: answering its challenges, and having it certify names.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{StepError, adopted, file, release};
use crate::{
    agent::{
        certbot::{self, Lineage},
        nginx::{self, Nginx},
        server::{FileError, Server},
        service::Systemd,
        transaction::Run,
        undo::Undo,
    },
    host::HostName,
    layout::{ACME_ROOTS, ACME_WEBROOT},
    plan::ObtainCertificate,
    render::CHALLENGE_PATH,
};

/// The roots that the server trusts anyway.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Has renewals trust those roots. certbot remembers the authority of a certificate, and not
/// whom it trusted: that is an environment variable, which names one file with all roots.
/// It stays on a server, as the directory does, whatever hosts come and go.
const DROP_IN: (&str, &str) = (
    "/etc/systemd/system/certbot.service.d/odoo-deploy.conf",
    "# Written by odoo-deploy: renewals trust the roots of private authorities, too.
[Service]
RuntimeDirectory=odoo-deploy-acme
Environment=REQUESTS_CA_BUNDLE=/run/odoo-deploy-acme/roots.pem
ExecStartPre=/usr/bin/find /etc/ssl/certs/ca-certificates.crt /etc/odoo-deploy/acme-roots -type f -exec /usr/bin/sed -n \"w /run/odoo-deploy-acme/roots.pem\" {} +
",
);

/// Tells how the vhosts get back to what they are now.
pub(super) fn way_back_of_challenges(
    run: &mut Run<'_>,
    aside: &[PathBuf],
) -> Result<Vec<Undo>, StepError> {
    match aside {
        [] => file::way_back_of_vhost(run),
        aside => adopted::way_back_of_vhosts(run, aside),
    }
}

/// Puts the vhost in place that answers challenges.
pub(super) fn serve_challenges(
    run: &mut Run<'_>,
    vhost: &str,
    aside: &[PathBuf],
) -> Result<(), StepError> {
    let _lock = file::lock_nginx(run.server)?;
    let path = run.layout.vhost();
    if aside.is_empty() && run.server.read(&path)?.as_deref() == Some(vhost) {
        return Ok(());
    }
    Nginx::new(run.server).test_staged(&path, vhost, aside)?;
    adopted::put_in_place_of(run, vhost, aside)
}

/// Proves that the names answer challenges: a failed try at the authority counts against
/// the name.
pub(super) fn prove_challenges(run: &mut Run<'_>, names: &[HostName]) -> Result<(), StepError> {
    let directory = webroot(run.server)?;
    let token = format!("odoo-deploy-{}", run.transaction.host);
    let answer = directory.join(&token);
    let expected = run.transaction.id.as_str();
    release::replace(run.server, &answer, expected, 0o644)?;
    let proven = names.iter().try_for_each(|name| {
        let url = format!("http://{name}{CHALLENGE_PATH}{token}");
        let marker = nginx::Marker { url: &url, expected, timeout: file::RELOAD_TIMEOUT };
        Nginx::new(run.server).prove(marker)
    });
    run.server.remove_file(&answer)?;
    Ok(proven?)
}

/// Makes the directory of answers, which nginx has to be able to read.
fn webroot(server: &Server) -> Result<PathBuf, FileError> {
    let root = Path::new(ACME_WEBROOT);
    let below = root.join(CHALLENGE_PATH.trim_matches('/'));
    let path = server.path(&below);
    fs::create_dir_all(&path).map_err(FileError::at("create", &below))?;
    for directory in below.ancestors().take_while(|path| path.starts_with("/var/lib/odoo-deploy")) {
        fs::set_permissions(server.path(directory), fs::Permissions::from_mode(0o755))
            .map_err(FileError::at("open up", directory))?;
    }
    Ok(below)
}

/// Tells how the certificate gets back to what it is now.
pub(super) fn way_back(
    run: &mut Run<'_>,
    step: &ObtainCertificate,
) -> Result<Vec<Undo>, StepError> {
    let name = step.names.first().expect("a certificate has a name");
    let lineage = Lineage::new(run.server, name);
    let version = lineage.version();
    let files = [lineage.renewal(), run.layout.acme_root()];
    let files = file::set_copies_aside(run, &files)?;
    Ok(vec![Undo::CertificateBack { name: name.clone(), version, files }])
}

/// Has the authority certify the names.
pub(super) fn obtain(run: &mut Run<'_>, step: &ObtainCertificate) -> Result<(), StepError> {
    webroot(run.server)?;
    trust(run, step.root.as_deref())?;
    let roots = bundle(run)?;
    let obtained = certbot::obtain(run.server, step, roots.as_deref());
    if let Some(roots) = roots {
        run.server.remove_file(&roots)?;
    }
    obtained?;
    warn_unless_renewed(run)
}

/// Says so where nothing renews what was just obtained.
fn warn_unless_renewed(run: &mut Run<'_>) -> Result<(), StepError> {
    let mut command = run.server.command("systemctl");
    command.args(["is-active", "--quiet", "certbot.timer", "snap.certbot.renew.timer"]);
    if !run.server.output(&mut command)?.status.success() {
        run.warn(
            "nothing renews certificates on the server: `systemctl enable --now certbot.timer`",
        );
    }
    Ok(())
}

/// Trusts a root from here on: renewals need it, too.
fn trust(run: &Run<'_>, root: Option<&str>) -> Result<(), StepError> {
    let file = run.layout.acme_root();
    let Some(root) = root else {
        return Ok(run.server.remove_file(&file)?);
    };
    make_parent(run.server, &file)?;
    release::replace(run.server, &file, &format!("{}\n", root.trim()), 0o644)?;
    let path = Path::new(DROP_IN.0);
    if run.server.read(path)?.as_deref() != Some(DROP_IN.1) {
        make_parent(run.server, path)?;
        release::replace(run.server, path, DROP_IN.1, 0o644)?;
        Systemd::new(run.server).daemon_reload()?;
    }
    Ok(())
}

fn make_parent(server: &Server, path: &Path) -> Result<(), FileError> {
    let directory = path.parent().expect("a file has a directory");
    fs::create_dir_all(server.path(directory)).map_err(FileError::at("create", directory))
}

/// Writes all roots into one file, where there are private ones.
fn bundle(run: &Run<'_>) -> Result<Option<PathBuf>, FileError> {
    let entries = fs::read_dir(run.server.path(Path::new(ACME_ROOTS)));
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut files: Vec<_> = names.map(|name| Path::new(ACME_ROOTS).join(name)).collect();
    if files.is_empty() {
        return Ok(None);
    }
    files.push(SYSTEM_ROOTS.into());
    let mut all = String::new();
    for file in files {
        all.push_str(&run.server.read(&file)?.unwrap_or_default());
    }
    let path = run.directory.join("acme-roots.pem");
    release::replace(run.server, &path, &all, 0o600)?;
    Ok(Some(path))
}

/// Takes the certificate back to the version it was. One that is new stays: it harms nobody,
/// and authorities issue the same one a few times a week only.
pub(in crate::agent) fn take_back(
    run: &mut Run<'_>,
    name: &HostName,
    version: Option<u32>,
    files: &[(PathBuf, Option<PathBuf>)],
) -> Result<(), StepError> {
    let lineage = Lineage::new(run.server, name);
    match version {
        Some(version) if lineage.version() != Some(version) => lineage.go_back_to(version)?,
        Some(_) => {}
        None if lineage.version().is_some() => {
            let live = lineage.live();
            run.warn(format!("the new certificate stays for the next try: {}", live.display()));
            return Ok(());
        }
        None => lineage.forget()?,
    }
    file::put_back(run.server, files)
}
