//! The messages between controller and agent, and their framing.

mod adoption;
mod channel;
mod client;
mod inquiry;
mod key;
mod message;
mod order;
mod public_key;
mod setup;

pub use adoption::{
    AdoptRequest, Adoption, Candidate, FoundValue, FoundVhost, Instance, Survey, SurveyRequest,
};
pub use channel::{Channel, WireError};
pub use client::{Occupancy, OccupancyRequest};
pub use inquiry::{
    Certificate, Health, LockFacts, LogLine, LogsRequest, Phase, StatusFacts, StepAt,
};
pub use key::{AuthorizeRequest, AuthorizedKey, KeyChange, WhichKey};
pub use message::{
    Attached, CHUNK, CompareRequest, CountRequest, Fault, FaultKind, Hello, ObserveRequest,
    PROTOCOLS, Releases, Reply, Request, Welcome,
};
pub use order::{FileInputs, Order};
pub use public_key::PublicKey;
pub use setup::{ServerReply, ServerRequest};
