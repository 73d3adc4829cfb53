//! Turns the wanted release and what the server has into a [`Plan`]. Pure.

mod access;
mod adopted;
mod certificate;
mod code;
mod copy_name;
mod desired;
mod diff;
mod drift;
mod environment;
mod event;
mod fingerprint;
mod history;
mod load;
mod make;
mod modules;
mod observed;
mod obstacle;
mod provision;
mod python;
mod release;
mod removal;
mod rollback;
#[cfg(test)]
mod sample;
mod step;
mod switch;
mod transaction;
mod transaction_id;
mod upgrade;

pub use access::DatabaseAccess;
pub use adopted::{
    ADOPTED, ADOPTED_SCHEMA, Adopted, AdoptedFacts, AdoptedKind, AdoptedService, AdoptedVhost,
    Checkout, CodePlace, ReplaceVhosts, adopted_live,
};
pub use certificate::{
    AcmeIssuer, CertificateFacts, CertificatePlan, InstallCertificate, IssuedCertificate, Issuer,
    LATE, ObtainCertificate, OriginIssuer, WantedCertificate,
};
pub use copy_name::{CopyKind, CopyName};
pub use desired::{Desired, Files, Network, OnDrift, Policy, UpdateChoice};
pub use diff::{FileDiff, unified};
pub use drift::{Drift, DriftKind, DriftSubject, drift};
pub use environment::{BuildEnvironment, CheckDependencies, EnvironmentFacts, PythonEnvironment};
pub use event::{Event, Failure, Outcome};
pub use fingerprint::Fingerprint;
pub use history::HistoryLine;
pub use load::unfit_for_loading;
pub use make::{Plan, make_plan};
pub use modules::{ModuleDiff, ModuleDiffs, differs};
pub use observed::{
    AsDeployed, ClusterFacts, CopyFacts, DatabaseFacts, Holder, HostFacts, InstalledModule,
    Listener, Neighbour, Observed, Recovered, SeenAddon, ServerFacts, ServiceFacts, Space,
};
pub use obstacle::{Obstacle, live_record, megabytes};
pub use provision::{
    AdminPassword, CreateRole, CreateUser, MakeDirectories, Provision, ProvisionFacts, Provisioned,
    RoleFacts, SetAdminPassword,
};
pub use python::{CodeChange, SourcePair};
pub use release::{RELEASE_SCHEMA, ReleaseFacts, ReleaseRecord, ReleaseState, RunningFrom};
pub use removal::{
    ArchiveStep, Archived, HostDatabase, MeasuredFiles, ObtainedBy, Removal, RemovalFacts,
    RemovalNeighbour, RemovalOrder, RemovalOutcome, RemovalQuestion, RemovalStep, RemovalTold,
    RoleBelongings, make_removal,
};
pub use rollback::{
    COUNTED_ROWS, KnownRelease, Restoration, Rollback, RollbackPlan, RowCount, choose_release,
    restorations,
};
#[cfg(test)]
pub(crate) use sample::{SamplePlan, sample_plans};
pub use step::{
    CatchUp, CheckOut, Follow, HealthCheck, Marker, Prune, Restore, Snapshot, Step, UpgradeModules,
};
pub use switch::Switch;
pub use transaction::{RolledBack, Service, Summary, Transaction};
pub use transaction_id::TransactionId;
pub use upgrade::DatabaseUpgrade;
