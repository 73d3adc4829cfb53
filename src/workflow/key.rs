//! Deploy keys of a server: authorized, listed and revoked by a login that may do everything.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{Project, WorkflowError, contact};
use crate::{
    host::{HostPattern, KeyName, ServerName, UserName},
    settings::Server,
    wire::{AuthorizeRequest, AuthorizedKey, KeyChange, PublicKey, Reply, Request, WhichKey},
};

/// The largest file that is read as a key, in bytes.
const LARGEST: u64 = 16 << 10;

/// Which key may do what.
#[derive(Debug, Clone)]
pub struct Authorization {
    /// The server.
    pub server: ServerName,
    /// The public key's file.
    pub file: PathBuf,
    /// The hosts that it may deploy.
    pub hosts: Vec<HostPattern>,
    /// The login that it opens; none: the server's own.
    pub login: Option<UserName>,
    /// Its name; none: that of the file.
    pub name: Option<KeyName>,
}

/// Authorizes a key.
///
/// # Errors
/// Fails where the file is no public key, or the server refuses.
pub async fn authorize(
    project: &Project,
    authorization: &Authorization,
) -> Result<(AuthorizedKey, KeyChange), WorkflowError> {
    let server = contact::server(&project.settings, &authorization.server)?;
    let operator = &project.operator;
    let request = AuthorizeRequest {
        name: name(authorization)?,
        key: read(&authorization.file)?,
        hosts: authorization.hosts.clone(),
        login: login(authorization, server)?,
        by: format!("{} from {}", operator.who, operator.from),
    };
    let request = Request::Authorize(Box::new(request));
    match contact::ask_server(project, &authorization.server, &request).await? {
        Reply::Authorized(key, change) => Ok((*key, change)),
        _ => Err(WorkflowError::OutOfTurn),
    }
}

/// Lists the keys of a server, by name.
///
/// # Errors
/// Fails where the server cannot be asked.
pub async fn list(
    project: &Project,
    server: &ServerName,
) -> Result<Vec<AuthorizedKey>, WorkflowError> {
    match contact::ask_server(project, server, &Request::Keys).await? {
        Reply::Keys(keys) => Ok(keys),
        _ => Err(WorkflowError::OutOfTurn),
    }
}

/// Takes a key away.
///
/// # Errors
/// Fails where the server does not know it, or cannot be asked.
pub async fn revoke(
    project: &Project,
    server: &ServerName,
    which: WhichKey,
) -> Result<AuthorizedKey, WorkflowError> {
    match contact::ask_server(project, server, &Request::Revoke(which)).await? {
        Reply::Revoked(key) => Ok(*key),
        _ => Err(WorkflowError::OutOfTurn),
    }
}

/// Says which key is meant, by its file or by its name.
///
/// # Errors
/// Fails where neither is given, or the file is no public key.
pub fn which(file: Option<&Path>, name: Option<&KeyName>) -> Result<WhichKey, WorkflowError> {
    match (file, name) {
        (Some(file), _) => Ok(WhichKey::Key(read(file)?)),
        (None, Some(name)) => Ok(WhichKey::Name(name.clone())),
        (None, None) => Err(WorkflowError::usage("no key is named", "give `--key` or `--name`")),
    }
}

/// Reads a public key. Nothing that the file holds is part of an error: it may be a
/// private key.
fn read(path: &Path) -> Result<PublicKey, WorkflowError> {
    let failed = |error: std::io::Error| {
        WorkflowError::usage(
            format!("failed to read the key `{}`: {error}", path.display()),
            "`--key` names the file of a public key, such as `~/.ssh/ci.pub`",
        )
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    PublicKey::parse(&text).map_err(|error| {
        WorkflowError::usage(
            format!("`{}` is not a public key: {}", path.display(), error.rule),
            "`ssh-keygen -t ed25519 -f ci` makes a pair: `ci.pub` is the public one",
        )
    })
}

fn name(authorization: &Authorization) -> Result<KeyName, WorkflowError> {
    if let Some(name) = &authorization.name {
        return Ok(name.clone());
    }
    let stem = authorization.file.file_stem().unwrap_or_default().to_string_lossy();
    KeyName::parse(&stem).map_err(|error| {
        WorkflowError::usage(
            format!("the key's file gives it no name: {error}"),
            "give it one by `--name`",
        )
    })
}

fn login(authorization: &Authorization, server: &Server) -> Result<UserName, WorkflowError> {
    let Server::Ssh(ssh) = server else {
        return Err(WorkflowError::usage(
            format!("server {} is this machine: no key opens it", authorization.server),
            "run the command for a server that is reached by SSH",
        ));
    };
    let login = authorization.login.clone().map(Ok);
    let own = || ssh.user.as_deref().map(UserName::parse);
    let Some(login) = login.or_else(own) else {
        return Err(WorkflowError::usage(
            format!("it is not said which login of {} the key opens", authorization.server),
            format!("give `--user`, or set `user` in [servers.{}]", authorization.server),
        ));
    };
    login.map_err(|error| WorkflowError::usage(error.to_string(), "give another one by `--user`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_refused_and_nothing_of_it_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ci");
        let write = |text: &str| {
            let mut file = std::fs::File::create(&path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        write("-----BEGIN OPENSSH PRIVATE KEY-----\nZ2VoZWlt\n");
        let error = read(&path).unwrap_err();
        assert!(error.to_string().contains("it is a private key"), "{error}");
        assert!(!format!("{error:?}").contains("Z2VoZWlt"), "{error:?}");
        write("Z2VoZWlt");
        assert!(!format!("{:?}", read(&path).unwrap_err()).contains("Z2VoZWlt"));
    }

    #[test]
    fn a_key_is_named_after_its_file() {
        let authorization = |file: &str| Authorization {
            server: ServerName::parse("aws-1").unwrap(),
            file: file.into(),
            hosts: Vec::new(),
            login: None,
            name: None,
        };
        assert_eq!(name(&authorization("/home/ana/ci.pub")).unwrap().as_str(), "ci");
        let error = name(&authorization("My Key.pub")).unwrap_err().to_string();
        assert!(error.contains("gives it no name"), "{error}");
    }
}
