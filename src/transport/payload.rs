//! Sends what is too large for a message.

use std::io::Read;

use tokio::io::{AsyncRead, AsyncWrite};

use super::TransportError;
use crate::wire::{CHUNK, Channel};

/// Sends so many raw bytes in pieces, which [`Channel::receive_into`] puts together.
pub(super) async fn send<R, W>(
    channel: &mut Channel<R, W>,
    payload: &mut (impl Read + Send),
    bytes: u64,
) -> Result<(), TransportError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut left = bytes;
    while left > 0 {
        let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut piece = vec![0; size];
        payload.read_exact(&mut piece).map_err(TransportError::Payload)?;
        left -= size as u64;
        channel.send_bytes(piece.into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

    use super::*;

    fn pair() -> [Channel<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>; 2] {
        let (ours, theirs) = duplex(64);
        [ours, theirs].map(|stream| {
            let (reader, writer) = split(stream);
            Channel::new(reader, writer)
        })
    }

    #[tokio::test]
    async fn a_payload_of_several_pieces_arrives_as_it_was_sent() {
        let [mut sender, mut receiver] = pair();
        let payload = [&b"first"[..], &vec![7; CHUNK * 2], b"last"].concat();
        let mut file = tempfile::tempfile().unwrap();
        let (mut source, bytes) = (payload.as_slice(), payload.len() as u64);
        let (sent, received) = tokio::join!(
            send(&mut sender, &mut source, bytes),
            receiver.receive_into(&mut file, bytes)
        );
        sent.unwrap();
        received.unwrap();
        let mut arrived = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut arrived).unwrap();
        assert!(arrived == payload);
    }

    #[tokio::test]
    async fn a_payload_that_cannot_be_read_is_no_fault_of_the_connection() {
        let [mut sender, _receiver] = pair();
        let sent = send(&mut sender, &mut &b"short"[..], 6).await;
        assert!(matches!(sent, Err(TransportError::Payload(_))));
    }
}
