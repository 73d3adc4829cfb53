//! The agent of a deploy key: whoever holds the key asks, so every request is checked against
//! what root knows of the host. What is not allowed by name is refused.

mod conf;
mod files;
mod host;
mod pinned;
mod shape;
mod steps;

use super::{
    keys::{self, KeyRecord},
    server::Server,
    with_causes,
};
use crate::{
    host::{DatabaseName, HostName, KeyName},
    plan::{DatabaseAccess, Service, Transaction},
    wire::{Fault, FaultKind, Order, Request},
};
use host::LiveHost;

/// Checks what is asked for with one deploy key.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    name: KeyName,
}

/// Why something is refused to a deploy key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    message: String,
    hint: String,
}

impl Refusal {
    /// Describes what a full login may do and this key may not.
    pub(super) fn needs_full_login(message: impl Into<String>) -> Self {
        let hint = "deploy once with a full login: it may change what runs as root, and this key \
                    may deploy again afterwards";
        Self { message: message.into(), hint: hint.to_owned() }
    }

    /// Describes something that no controller of this version sends.
    pub(super) fn forged(message: impl Into<String>) -> Self {
        let hint = "this version of the tool never asks for that: if it did, use the same version \
                    here as on the server, else find out who holds the key";
        Self { message: message.into(), hint: hint.to_owned() }
    }
}

impl Guard {
    /// Guards the sessions of a key.
    pub(super) const fn new(name: KeyName) -> Self {
        Self { name }
    }

    /// Checks a request. What is only said, such as who asks, is put right in it.
    ///
    /// # Errors
    /// Refuses what the key may not do.
    pub(super) fn check(&self, server: &Server, request: &mut Request) -> Result<(), Fault> {
        // Read anew each time: a key that is revoked stops to work at once.
        let key = keys::read(server, &self.name)
            .map_err(|error| self.fault(with_causes(&error), HINT_REVOKED))?
            .ok_or_else(|| {
                self.fault("it is not authorized on this server".into(), HINT_REVOKED)
            })?;
        let asked = Asked { guard: self, key: &key, server };
        match request {
            Request::Hello(_) | Request::Cancel => Ok(()),
            Request::Observe(request) | Request::Status(request) => {
                let live = asked.live(&request.host)?;
                asked.runs(&live, &request.service, &request.access)?;
                asked.serves(&live, request.databases.iter())
            }
            Request::Compare(request) => {
                let live = asked.live(&request.host)?;
                asked.refused(pinned::service(&request.service, &live.with.service))
            }
            Request::CountRows(request) => {
                let live = asked.live(&request.host)?;
                asked.refused(pinned::access(&request.access, &live.with.access))?;
                asked.serves(&live, request.since.keys())
            }
            Request::Pack { host, .. } => asked.live(host).map(drop),
            Request::Execute(order) => asked.execute(order),
            Request::Attach { host }
            | Request::BreakLock { host, .. }
            | Request::History { host, .. }
            | Request::LockState { host }
            | Request::Releases { host } => asked.may(host),
            Request::Logs(request) => asked.live(&request.host).map(drop),
            Request::MakeSigningRequest { .. } => Err(self.fault(
                "the host's certificate would be replaced".into(),
                "deploy once with a full login: this key may deploy again afterwards",
            )),
            Request::Survey(_)
            | Request::Adopt(_)
            | Request::Server(_)
            | Request::Occupancy(_)
            | Request::Removal(_)
            | Request::Remove(_)
            | Request::Authorize(_)
            | Request::Keys
            | Request::Revoke(_) => Err(self.fault(
                "it may deploy, and nothing else".into(),
                "use a full login, such as the one that authorized the key",
            )),
        }
    }

    fn fault(&self, message: String, hint: &str) -> Fault {
        Fault {
            kind: FaultKind::Refused,
            message: format!("the deploy key `{}` is refused: {message}", self.name),
            hint: Some(hint.to_owned()),
        }
    }
}

const HINT_REVOKED: &str = "authorize it with `deploy server authorize` and a full login";

/// A request that is being checked.
struct Asked<'a> {
    guard: &'a Guard,
    key: &'a KeyRecord,
    server: &'a Server,
}

impl Asked<'_> {
    /// Checks that the key is for the host.
    fn may(&self, host: &HostName) -> Result<(), Fault> {
        if self.key.hosts.iter().any(|pattern| pattern.matches(host)) {
            return Ok(());
        }
        let patterns: Vec<_> = self.key.hosts.iter().map(ToString::to_string).collect();
        Err(self.guard.fault(
            format!("it is for {}, and not for {host}", patterns.join(", ")),
            "authorize it for that host, too, with `deploy server authorize` and a full login",
        ))
    }

    /// Reads what root knows of the host.
    fn live(&self, host: &HostName) -> Result<LiveHost, Fault> {
        self.may(host)?;
        let live = LiveHost::read(self.server, host)
            .map_err(|error| self.guard.fault(with_causes(&error), "look at it on the server"))?;
        let live = self.refused(live)?;
        self.refused(live.check_user(self.server, self.key.login.as_str()))?;
        Ok(live)
    }

    fn runs(
        &self,
        live: &LiveHost,
        service: &Service,
        access: &DatabaseAccess,
    ) -> Result<(), Fault> {
        self.refused(pinned::service(service, &live.with.service))?;
        self.refused(pinned::access(access, &live.with.access))
    }

    fn serves<'d>(
        &self,
        live: &LiveHost,
        databases: impl Iterator<Item = &'d DatabaseName>,
    ) -> Result<(), Fault> {
        self.refused(steps::own_databases(live, databases))
    }

    fn execute(&self, order: &mut Order) -> Result<(), Fault> {
        let live = self.live(&order.transaction.host)?;
        self.refused(check_order(order, &live))?;
        sign(&mut order.transaction, &self.guard.name);
        Ok(())
    }

    fn refused<T>(&self, checked: Result<T, Refusal>) -> Result<T, Fault> {
        checked.map_err(|refusal| self.guard.fault(refusal.message, &refusal.hint))
    }
}

/// Checks everything that a transaction brings. Pure.
fn check_order(order: &Order, live: &LiveHost) -> Result<(), Refusal> {
    let transaction = &order.transaction;
    pinned::service(&transaction.service, &live.with.service)?;
    pinned::access(&transaction.access, &live.with.access)?;
    let rendered = files::render(&order.inputs, live)?;
    shape::check(transaction)?;
    steps::check(transaction, &order.inputs, live, &rendered)
}

/// The history says which key was used, whatever its holder says about himself.
fn sign(transaction: &mut Transaction, key: &KeyName) {
    let holder = &mut transaction.holder;
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    holder.who = plain(&holder.who);
    holder.from = format!("{} (key {key})", plain(&holder.from));
    holder.url = holder.url.as_deref().map(plain);
    holder.message = holder.message.as_deref().map(plain);
    holder.transaction = transaction.id.to_string();
    let summary = &mut transaction.summary;
    summary.environment = plain(&summary.environment);
    summary.branch = summary.branch.as_deref().map(plain);
    summary.commit = plain(&summary.commit);
    summary.subject = plain(&summary.subject);
    summary.switch = plain(&summary.switch);
}

#[cfg(test)]
pub(in crate::agent) mod sample;
#[cfg(test)]
mod tests;
