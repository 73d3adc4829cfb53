//! The messages between controller and agent, and their framing.

mod channel;
mod message;

pub use channel::{Channel, WireError};
pub use message::{
    Attached, CHUNK, CompareRequest, CountRequest, Fault, FaultKind, Hello, ObserveRequest,
    PROTOCOLS, Releases, Reply, Request, Welcome,
};
