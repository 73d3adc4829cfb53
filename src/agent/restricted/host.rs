//! What root knows of a host: the measure of what a deploy key may ask for.

use crate::{
    agent::{
        Account, as_deployed,
        deployed_with::{self, DeployedWith},
        observe,
        server::{FileError, Server},
        step::{release, switch},
    },
    host::HostName,
    layout::{Layout, ReleaseNumber},
    plan::ReleaseRecord,
};

use super::Refusal;

/// A host with a live release, as root's own files on the server describe it.
#[derive(Debug, Clone)]
pub(super) struct LiveHost {
    /// The live release.
    pub(super) record: ReleaseRecord,
    /// What it was deployed with.
    pub(super) with: DeployedWith,
    /// Its odoo.conf, secrets included.
    pub(super) odoo_conf: String,
    /// Every complete release, with what it must answer.
    pub(super) releases: Vec<ReleaseRecord>,
    /// The highest number that was ever given to a release.
    pub(super) highest: u32,
}

impl LiveHost {
    /// Reads it.
    ///
    /// # Errors
    /// Fails when files of the host cannot be read; the inner error says that the host needs
    /// a full login first.
    pub(super) fn read(
        server: &Server,
        host: &HostName,
    ) -> Result<Result<Self, Refusal>, FileError> {
        let layout = Layout::new(host.clone());
        let target = switch::target(server, &layout)?;
        let number = target.as_deref().and_then(|target| target.file_name()?.to_str());
        let number = number.and_then(ReleaseNumber::from_directory_name);
        let live = number.and_then(|number| release::read_record(server, &layout, number));
        let Some((record, _)) = live else {
            return Ok(Err(Refusal::needs_full_login(format!(
                "{host} was not deployed to this server yet"
            ))));
        };
        let with = deployed_with::read(server, &layout, record.number)?;
        let files = as_deployed::read(server, &layout, record.number)?;
        let (Some(with), Some(odoo_conf)) = (with, files.and_then(|files| files.odoo_conf)) else {
            return Ok(Err(Refusal::needs_full_login(format!(
                "release {} of {host} does not say what it was deployed with",
                record.number
            ))));
        };
        let releases = observe::releases_of_host(server, &layout)?.releases;
        Ok(Ok(Self {
            record,
            with,
            odoo_conf,
            releases: releases.into_iter().map(|known| known.facts.record).collect(),
            highest: observe::highest_directory(server, &layout)?,
        }))
    }

    /// Checks that code which runs as the host's user does not thereby get hold of more than
    /// the host.
    pub(super) fn check_user(&self, server: &Server, login: &str) -> Result<(), Refusal> {
        let user = self.with.service.user.as_str();
        let account = Account::find(server, user).ok().flatten();
        let is_root = user == "root" || account.is_some_and(|account| account.uid == 0);
        if is_root || user == login {
            return Err(Refusal::needs_full_login(format!(
                "{} runs as `{user}`, so whoever deploys to it could do all that `{user}` can; \
                 give it a user of its own",
                self.record.host
            )));
        }
        Ok(())
    }
}
