//! Brings messages to all who want them, at the same time and for a while only. Does I/O.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{Message, NotifyError, Patience, Service};
use crate::causes::with_causes;

/// How long all channels together may keep a command from ending.
pub const LONGEST: Duration = Duration::from_secs(20);

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The channel, by its name in `config/deploy.toml`.
    pub channel: String,
    /// What takes it.
    pub service: Service,
    /// What is sent.
    pub message: Message,
}

/// Sends every message and returns why any was not taken, one line for each channel, in
/// order. Comes back after the longest time at the latest; what then is still on its way
/// is left to a thread of its own, which ends with the process.
#[must_use]
pub fn deliver(deliveries: Vec<Delivery>, patience: Patience, longest: Duration) -> Vec<String> {
    let end = Instant::now() + longest;
    let begun = deliveries.into_iter().map(|delivery| begin(delivery, patience));
    let begun = begun.collect::<Vec<_>>();
    let failure = |(channel, answer): (String, mpsc::Receiver<Result<(), NotifyError>>)| {
        let left = end.saturating_duration_since(Instant::now());
        let reason = match answer.recv_timeout(left) {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => with_causes(&error),
            Err(mpsc::RecvTimeoutError::Timeout) => "it took too long".to_owned(),
            Err(mpsc::RecvTimeoutError::Disconnected) => "the attempt crashed".to_owned(),
        };
        Some(format!("notification `{channel}`: {reason}"))
    };
    begun.into_iter().filter_map(failure).collect()
}

fn begin(
    delivery: Delivery,
    patience: Patience,
) -> (String, mpsc::Receiver<Result<(), NotifyError>>) {
    let (told, answer) = mpsc::sync_channel(1);
    let Delivery { channel, service, message } = delivery;
    let work = move || {
        // Nobody listens any more where it comes too late.
        let _ = told.send(service.send(&message, patience));
    };
    // Without a thread nothing is told, which reads as a crash.
    let _ = thread::Builder::new().name("notify".to_owned()).spawn(work);
    (channel, answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::{
        notify::{
            Ending,
            message::tests::message,
            webhook::tests::{OK, Server},
        },
        secret::{Redactor, Secrets},
        settings::NotifyService,
    };

    fn delivery(channel: &str, url: &str) -> Delivery {
        let service = NotifyService::Webhook { url: url.to_owned(), kind: None, secret: None };
        let service = Service::resolve(&service, &Secrets::default(), &Redactor::default());
        Delivery {
            channel: channel.to_owned(),
            service: service.unwrap(),
            message: message(Ending::Deployed),
        }
    }

    #[test]
    fn one_channel_that_fails_does_not_keep_the_others() {
        let good = Server::answering(&[OK]);
        let bad = Server::answering(&["HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]);
        let failures = deliver(
            vec![delivery("bad", bad.url.expose()), delivery("good", good.url.expose())],
            Patience::default(),
            LONGEST,
        );
        let expected = "notification `bad`: the webhook at http://127.0.0.1 answered 404";
        assert_eq!(failures, [expected]);
        assert_eq!(good.count(), 1);
    }

    #[test]
    fn many_channels_that_hang_keep_a_deploy_no_longer_than_one() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let hanging = (0..8).map(|index| delivery(&format!("c{index}"), &url));
        let begun = Instant::now();
        let failures = deliver(hanging.collect(), Patience::default(), Duration::from_millis(500));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(failures.len(), 8);
        assert_eq!(failures[7], "notification `c7`: it took too long");
    }
}
