//! What is asked and told about a server as a machine.

use serde::{Deserialize, Serialize};

use crate::setup::{Examination, MachineFacts, MachineRequest, SetupOrder, SetupTold};

/// What the controller asks of a server. A key that may only deploy may ask nothing of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerRequest {
    /// Asks what the machine is and has; changes nothing.
    Look(Box<MachineRequest>),
    /// Asks for a closer look; changes nothing.
    Examine(Box<MachineRequest>),
    /// Announces a file of so many bytes, which follow in frames of at most
    /// [`CHUNK`](super::CHUNK). It is kept until the next setup has used it.
    File {
        /// Its length.
        bytes: u64,
    },
    /// Asks that the server is set up; what it tells follows until it ends.
    SetUp(Box<SetupOrder>),
    /// Asks what the setup that runs tells, from its beginning.
    Follow,
}

/// What the agent answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerReply {
    /// Answers [`ServerRequest::Look`].
    Machine(Box<MachineFacts>),
    /// Answers [`ServerRequest::Examine`].
    Examined(Box<Examination>),
    /// Tells of a setup.
    Setup(Box<SetupTold>),
}
