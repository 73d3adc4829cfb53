//! The messages between controller and agent, and their framing.

mod adoption;
mod channel;
mod inquiry;
mod message;
mod setup;

pub use adoption::{
    AdoptRequest, Adoption, Candidate, FoundValue, FoundVhost, Instance, Survey, SurveyRequest,
};
pub use channel::{Channel, WireError};
pub use inquiry::{
    Certificate, Health, LockFacts, LogLine, LogsRequest, Phase, StatusFacts, StepAt,
};
pub use message::{
    Attached, CHUNK, CompareRequest, CountRequest, Fault, FaultKind, Hello, ObserveRequest,
    PROTOCOLS, Releases, Reply, Request, Welcome,
};
pub use setup::{ServerReply, ServerRequest};
