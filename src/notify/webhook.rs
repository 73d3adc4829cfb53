//! Posts a message to an incoming webhook. Does I/O.

use std::{
    error::Error,
    io::Read as _,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use tracing::subscriber::{NoSubscriber, with_default};
use ureq::{
    Agent, Body,
    http::{Response, StatusCode, Uri},
};

use super::{Message, message::cleaned};
use crate::secret::{Redactor, Secret};

/// A message that a webhook did not take. The URL is a secret: only its scheme and host show.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The secret is something else.
    #[error("the webhook is no http or https URL")]
    Address,
    /// No answer came.
    #[error("no answer from the webhook at {target}")]
    NoAnswer {
        /// Scheme and host.
        target: String,
        /// Why, redacted; the error of the library could quote the URL.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It answered something else than 2xx.
    #[error("the webhook at {target} answered {status}{}", after_colon(body))]
    Rejected {
        /// Scheme and host.
        target: String,
        /// The status code.
        status: u16,
        /// The beginning of what it said, redacted.
        body: String,
    },
}

/// How long a webhook may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For one connection to stand.
    pub connect: Duration,
    /// For everything, the second attempt included.
    pub all: Duration,
    /// Between the two attempts.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            all: Duration::from_secs(10),
            pause: Duration::from_millis(500),
        }
    }
}

/// Sends messages to webhooks of Slack and of what speaks like it. Blocks: an
/// asynchronous caller uses a thread for it.
#[derive(Debug, Clone, Default)]
pub struct Webhook {
    redactor: Redactor,
    patience: Patience,
}

/// How much of an answer's body is read, in bytes, and shown, in characters.
const READ: u64 = 64 << 10;
const SHOWN: usize = 200;

/// The shortest part of a URL's path that is looked for in an answer: shorter ones
/// are words such as `hooks`.
const SHORTEST_PART: usize = 6;

impl Webhook {
    /// Opens a sender whose errors lack these secrets.
    #[must_use]
    pub fn new(redactor: Redactor, patience: Patience) -> Self {
        Self { redactor, patience }
    }

    /// Posts a message. Tries once more after a connection that failed or a 5xx, as long
    /// as time is left: a message that comes twice is better than none. Proxies of the
    /// environment are used, but not for this machine itself; redirects are not followed.
    ///
    /// # Errors
    /// Fails when the secret is no URL, no answer comes in time, or it is not 2xx.
    pub fn post(&self, url: &Secret, message: &Message) -> Result<(), NotifyError> {
        let address = Address::parse(url).ok_or(NotifyError::Address)?;
        let body = message.to_slack();
        // At its most talkative level the library logs the whole URL.
        with_default(NoSubscriber::new(), || self.post_twice(&address, &body))
    }

    fn post_twice(&self, address: &Address, body: &str) -> Result<(), NotifyError> {
        let end = Instant::now() + self.patience.all;
        let first = self.attempt(address, body, self.patience.all);
        let left =
            end.saturating_duration_since(Instant::now()).saturating_sub(self.patience.pause);
        match first {
            Err(failure) if failure.is_passing() && !left.is_zero() => {
                thread::sleep(self.patience.pause);
                self.attempt(address, body, left)
            }
            other => other,
        }
        .map_err(|failure| self.error(failure, address))
    }

    fn attempt(&self, address: &Address, body: &str, left: Duration) -> Result<(), Failure> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .user_agent("odoo-deploy")
            .timeout_connect(Some(self.patience.connect.min(left)))
            .timeout_global(Some(left));
        if address.is_loopback() {
            config = config.proxy(None);
        }
        let request = Agent::new_with_config(config.build()).post(&address.uri);
        let answer = request.header("Content-Type", "application/json").send(body);
        let answer = answer.map_err(Failure::Connection)?;
        if answer.status().is_success() { Ok(()) } else { Err(Failure::Status(Box::new(answer))) }
    }

    fn error(&self, failure: Failure, address: &Address) -> NotifyError {
        let redactor = address.added_to(&self.redactor);
        let target = address.target();
        match failure {
            Failure::Connection(error) => {
                let reason = match error {
                    ureq::Error::Timeout(_) => "it took too long".to_owned(),
                    error => cleaned(&error.to_string(), SHOWN, &redactor),
                };
                NotifyError::NoAnswer { target, source: reason.into() }
            }
            Failure::Status(answer) => NotifyError::Rejected {
                target,
                status: answer.status().as_u16(),
                body: cleaned(&beginning(*answer), SHOWN, &redactor),
            },
        }
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// How one attempt failed.
enum Failure {
    Connection(ureq::Error),
    Status(Box<Response<Body>>),
}

impl Failure {
    /// Tells whether another attempt may fare better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Status(answer) => answer.status() >= StatusCode::INTERNAL_SERVER_ERROR,
            Self::Connection(error) => matches!(
                error,
                ureq::Error::Io(_)
                    | ureq::Error::Timeout(_)
                    | ureq::Error::Protocol(_)
                    | ureq::Error::HostNotFound
                    | ureq::Error::ConnectionFailed
                    | ureq::Error::ConnectProxyFailed(_)
            ),
        }
    }
}

/// Reads what there is; an answer that breaks off is no further error.
fn beginning(answer: Response<Body>) -> String {
    let mut bytes = Vec::new();
    let _ = answer.into_body().into_reader().take(READ).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A webhook's URL, checked.
struct Address {
    uri: Uri,
    secret: Secret,
}

impl Address {
    fn parse(url: &Secret) -> Option<Self> {
        let text = url.expose().trim();
        let uri = text.parse::<Uri>().ok()?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        (is_web && has_host).then(|| Self { uri, secret: Secret::new(text) })
    }

    fn target(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        format!("{scheme}://{}", self.uri.host().unwrap_or_default())
    }

    fn is_loopback(&self) -> bool {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Adds the URL and its parts to what is masked: an answer may quote them.
    fn added_to(&self, redactor: &Redactor) -> Redactor {
        let mut redactor = redactor.clone();
        redactor.add(&self.secret);
        let path = self.uri.path_and_query().map_or("", |path| path.as_str());
        let login = self.uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= SHORTEST_PART);
        for part in parts.chain([path]).chain(login.map(|(login, _)| login)) {
            redactor.add(&Secret::new(part));
        }
        redactor
    }
}

#[cfg(test)]
mod tests;
