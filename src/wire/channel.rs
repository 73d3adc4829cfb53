//! Framing: four bytes of length, then JSON, or raw bytes of a pack.

use std::{
    fs::File,
    io::{self, Write as _},
};

use futures_util::{SinkExt, StreamExt};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{
    bytes::Bytes,
    codec::{FramedRead, FramedWrite, LengthDelimitedCodec},
};

/// The largest frame either side accepts, in bytes: room for the rendered files
/// and the module list of a large database.
const LARGEST_FRAME: usize = 64 * 1024 * 1024;

/// A conversation that broke.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The other side is gone.
    #[error("the connection to the agent was closed")]
    Closed,
    /// Nothing was said at all.
    #[error("nobody said hello: only `deploy` talks to this program, and the key opens no other")]
    NoHello,
    /// Reading or writing failed.
    #[error("failed to talk to the agent")]
    Io(#[source] io::Error),
    /// A frame is not what the protocol allows.
    #[error("the agent's answer is not understood")]
    Malformed(#[source] serde_json::Error),
}

/// One conversation over a pair of byte streams.
pub struct Channel<R, W> {
    reader: FramedRead<R, LengthDelimitedCodec>,
    writer: FramedWrite<W, LengthDelimitedCodec>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Channel<R, W> {
    /// Speaks over the given streams.
    pub fn new(reader: R, writer: W) -> Self {
        let codec = || LengthDelimitedCodec::builder().max_frame_length(LARGEST_FRAME).new_codec();
        Self { reader: FramedRead::new(reader, codec()), writer: FramedWrite::new(writer, codec()) }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Fails when the other side is gone.
    pub async fn send<T: Serialize + Sync>(&mut self, message: &T) -> Result<(), WireError> {
        let text = serde_json::to_vec(message).expect("our messages are JSON");
        self.send_bytes(text.into()).await
    }

    /// Sends one frame of raw bytes.
    ///
    /// # Errors
    /// Fails when the other side is gone.
    pub async fn send_bytes(&mut self, bytes: Bytes) -> Result<(), WireError> {
        self.writer.send(bytes).await.map_err(WireError::Io)
    }

    /// Receives one message.
    ///
    /// # Errors
    /// Fails when the other side is gone or does not keep to the protocol.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        let bytes = self.receive_bytes().await?;
        serde_json::from_slice(&bytes).map_err(WireError::Malformed)
    }

    /// Receives so many raw bytes, in as many frames as they come, into a file.
    ///
    /// # Errors
    /// Fails when the other side is gone or sends more, or the file takes no more.
    pub async fn receive_into(&mut self, file: &mut File, bytes: u64) -> Result<(), WireError> {
        let mut left = bytes;
        while left > 0 {
            let piece = self.receive_bytes().await?;
            left = left.checked_sub(piece.len() as u64).ok_or(WireError::Closed)?;
            file.write_all(&piece).map_err(WireError::Io)?;
        }
        Ok(())
    }

    /// Receives one frame of raw bytes.
    ///
    /// # Errors
    /// Fails when the other side is gone.
    pub async fn receive_bytes(&mut self) -> Result<Bytes, WireError> {
        match self.reader.next().await {
            Some(frame) => Ok(frame.map_err(WireError::Io)?.freeze()),
            None => Err(WireError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Hello, Request};

    #[tokio::test]
    async fn a_message_arrives_as_it_was_sent() {
        let (ours, theirs) = tokio::io::duplex(64);
        let (reader, writer) = tokio::io::split(ours);
        let mut sender = Channel::new(reader, writer);
        let (reader, writer) = tokio::io::split(theirs);
        let mut receiver = Channel::new(reader, writer);
        let hello = Hello { protocols: vec![1], version: "x".repeat(1000) };
        let request = Request::Hello(hello.clone());
        let (sent, received) = tokio::join!(sender.send(&request), receiver.receive());
        sent.unwrap();
        assert!(matches!(received.unwrap(), Request::Hello(arrived) if arrived == hello));
    }

    #[tokio::test]
    async fn a_frame_larger_than_allowed_is_refused() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (reader, writer) = tokio::io::split(ours);
        let mut channel = Channel::new(reader, writer);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &u32::MAX.to_be_bytes()).await.unwrap();
        assert!(matches!(channel.receive::<Request>().await, Err(WireError::Io(_))));
    }
}
