//! What controller and agent say to each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    host::{DatabaseName, HostName},
    layout::ReleaseNumber,
    plan::{
        CodeChange, DatabaseAccess, Event, HistoryLine, Holder, KnownRelease, Observed,
        RemovalFacts, RemovalOrder, RemovalQuestion, RemovalTold, RowCount, Service, SourcePair,
        Summary, TransactionId,
    },
    wire::{
        AdoptRequest, Adoption, AuthorizeRequest, AuthorizedKey, KeyChange, LockFacts, LogLine,
        LogsRequest, Occupancy, OccupancyRequest, Order, StatusFacts, Survey, SurveyRequest,
        WhichKey,
    },
};

/// The protocols this executable speaks, newest first.
pub const PROTOCOLS: &[u32] = &[3];

/// The largest piece of a pack in one frame, in bytes.
pub const CHUNK: usize = 256 * 1024;

/// The controller's first words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocols it speaks, newest first.
    pub protocols: Vec<u32>,
    /// Its version.
    pub version: String,
}

/// The agent's answer to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol both speak; none where they share no protocol.
    pub protocol: Option<u32>,
    /// The agent's version.
    pub version: String,
    /// Whether the key can only deploy: nothing can be installed over it.
    #[serde(default)]
    pub restricted: bool,
}

/// What the controller asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Begins the conversation.
    Hello(Hello),
    /// Asks what is there; changes nothing.
    Observe(Box<ObserveRequest>),
    /// Asks what changed between two versions of Python files; changes nothing.
    Compare(Box<CompareRequest>),
    /// Announces a pack of so many bytes, which follow in frames of at most [`CHUNK`].
    Pack {
        /// The host whose store takes it.
        host: HostName,
        /// Its length.
        bytes: u64,
    },
    /// Asks for a transaction; events follow until it is finished.
    Execute(Box<Order>),
    /// Asks for the transaction that runs, else for the last one: it is described, and
    /// its events follow from the first one until it is finished.
    Attach {
        /// The host.
        host: HostName,
    },
    /// Asks, while events follow, that the transaction is taken back. It has no reply
    /// of its own; after the commit point it changes nothing.
    Cancel,
    /// Asks that whoever holds the host's lock is stopped and what it began is taken
    /// back. Answered as [`Request::Attach`] is.
    BreakLock {
        /// The host.
        host: HostName,
        /// The transaction that is meant; another one is left alone.
        transaction: String,
    },
    /// Asks how a host is; changes nothing. Its databases are reached as the live
    /// odoo.conf says, so that the controller needs no secret.
    Status(Box<ObserveRequest>),
    /// Asks for the last lines of the host's history.
    History {
        /// The host.
        host: HostName,
        /// How many at most.
        limit: usize,
    },
    /// Asks who holds the host's lock.
    LockState {
        /// The host.
        host: HostName,
    },
    /// Asks for the host's logs.
    Logs(LogsRequest),
    /// Asks which releases are on the server; changes nothing.
    Releases {
        /// The host.
        host: HostName,
    },
    /// Asks what was created in databases since; changes nothing.
    CountRows(Box<CountRequest>),
    /// Asks for a new key, which stays on the server, and the request to certify it.
    MakeSigningRequest {
        /// The host.
        host: HostName,
        /// The names to be certified.
        names: Vec<HostName>,
    },
    /// Asks what of a new host's is there already; changes nothing.
    Occupancy(Box<OccupancyRequest>),
    /// Asks what there is of a host that is to be removed; changes nothing.
    Removal(Box<RemovalQuestion>),
    /// Asks that a host is removed; what is told follows until it is finished.
    Remove(Box<RemovalOrder>),
    /// Asks which Odoo runs that the tool did not set up, and how; changes nothing.
    Survey(SurveyRequest),
    /// Has it recorded as release 0 of a host. What runs is not touched.
    Adopt(Box<AdoptRequest>),
    /// Asks something of the server as a machine.
    Server(super::ServerRequest),
    /// Asks that a key may deploy some hosts.
    Authorize(Box<AuthorizeRequest>),
    /// Asks which keys can only deploy.
    Keys,
    /// Asks that a key may not deploy any more.
    Revoke(WhichKey),
}

/// What is to be observed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObserveRequest {
    /// The host.
    pub host: HostName,
    /// How Odoo is run.
    pub service: Service,
    /// How its databases are reached.
    pub access: DatabaseAccess,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// The databases.
    pub databases: Vec<DatabaseName>,
    /// Options whose values may not leave the server, besides those known by name.
    pub sensitive_keys: BTreeSet<String>,
    /// The key under which their values are hashed instead.
    pub mask_key: [u8; 32],
    /// Whether the interpreter's version is needed: where packages are to be installed on it.
    /// Controllers that do not say want to know.
    #[serde(default = "yes")]
    pub asks_python: bool,
    /// The transaction that may follow, if one may.
    pub transaction: Option<TransactionId>,
}

const fn yes() -> bool {
    true
}

/// Which databases' new rows are to be counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountRequest {
    /// The host.
    pub host: HostName,
    /// How its databases are reached.
    pub access: DatabaseAccess,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// The databases, each with the time from which on rows count, in seconds since the epoch.
    pub since: BTreeMap<DatabaseName, i64>,
}

/// Which Python files are to be compared.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareRequest {
    /// The host whose code it is.
    pub host: HostName,
    /// How Odoo is run: its interpreter and user compare.
    pub service: Service,
    /// The files.
    pub pairs: Vec<SourcePair>,
}

/// What the agent answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Answers [`Request::Hello`].
    Welcome(Welcome),
    /// Answers [`Request::Observe`].
    Observed(Box<Observed>),
    /// Answers [`Request::Compare`], in the order asked.
    Compared(Vec<CodeChange>),
    /// Answers [`Request::Pack`]: it is complete and on disk.
    Received,
    /// Tells of a transaction.
    Event(Event),
    /// Answers [`Request::Attach`]: which transaction it is; none where there never was one.
    Attached(Option<Box<Attached>>),
    /// Answers [`Request::Status`].
    Status(Box<StatusFacts>),
    /// Answers [`Request::History`], newest first.
    History(Vec<HistoryLine>),
    /// Answers [`Request::LockState`]; none where the lock is free.
    LockState(Option<Box<LockFacts>>),
    /// Answers [`Request::Logs`], again and again.
    LogLines(Vec<LogLine>),
    /// Says that no further line follows.
    EndOfLog,
    /// Says that the request could not be served.
    Fault(Fault),
    /// Answers [`Request::Releases`].
    Releases(Box<Releases>),
    /// Answers [`Request::MakeSigningRequest`], as PEM.
    SigningRequest(String),
    /// Answers [`Request::CountRows`]; a database that could not be asked is left out.
    Counted(BTreeMap<DatabaseName, Vec<RowCount>>),
    /// Answers [`Request::Occupancy`].
    Occupancy(Box<Occupancy>),
    /// Answers [`Request::Removal`].
    Removal(Box<RemovalFacts>),
    /// Tells of a removal.
    Removing(Box<RemovalTold>),
    /// Answers [`Request::Survey`].
    Survey(Box<Survey>),
    /// Answers [`Request::Adopt`].
    Adopted(Adoption),
    /// Answers [`Request::Server`]; a file is answered by [`Reply::Received`].
    Server(super::ServerReply),
    /// Answers [`Request::Authorize`].
    Authorized(Box<AuthorizedKey>, KeyChange),
    /// Answers [`Request::Keys`], by name.
    Keys(Vec<AuthorizedKey>),
    /// Answers [`Request::Revoke`].
    Revoked(Box<AuthorizedKey>),
}

/// The releases of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    /// The live one; none before the first deploy.
    pub live: Option<ReleaseNumber>,
    /// Every one, by number.
    pub releases: Vec<KnownRelease>,
    /// The unit of release 0; none where the host was not adopted.
    pub adopted: Option<String>,
    /// The highest number that a release had when release 0 last went live.
    pub since: ReleaseNumber,
}

/// The transaction whose events follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Who began it, from where and since when.
    pub holder: Holder,
    /// The release that is made or moved to; none where only the vhost changes.
    pub release: Option<ReleaseNumber>,
    /// The release before.
    pub previous: Option<ReleaseNumber>,
    /// What is deployed.
    pub summary: Summary,
    /// Whether it still runs.
    pub running: bool,
}

/// Why a request could not be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind of trouble it is.
    pub kind: FaultKind,
    /// What failed and why, causes included.
    pub message: String,
    /// The next move, where there is one to name.
    pub hint: Option<String>,
}

/// What kind of trouble a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The request breaks the protocol.
    Protocol,
    /// A check failed; nothing was touched.
    Refused,
    /// The agent itself failed.
    Internal,
    /// The transaction was begun before: a plan is used once.
    Used,
}
