//! The messages between controller and agent, and their framing.

mod channel;
mod message;

pub use channel::{Channel, WireError};
pub use message::{
    Attached, CHUNK, CompareRequest, Fault, FaultKind, Hello, ObserveRequest, PROTOCOLS, Reply,
    Request, Welcome,
};
