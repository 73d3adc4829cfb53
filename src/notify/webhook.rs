//! Posts JSON to a web address. Does I/O.

use std::{
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

use super::{NotifyError, words::cleaned};
use crate::secret::{Redactor, Secret};

/// How long a service may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For one connection to stand.
    pub connect: Duration,
    /// For everything, the second attempt included.
    pub all: Duration,
    /// Between the two attempts, unless the service asks for more.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            all: Duration::from_secs(15),
            pause: Duration::from_millis(500),
        }
    }
}

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// JSON.
    pub body: String,
    /// Headers besides those of HTTP.
    pub headers: Vec<(&'static str, String)>,
}

/// Posts to webhooks. Blocks: an asynchronous caller uses a thread for it.
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

    /// Posts. Tries once more after a connection that failed, a 5xx or a 429, as long as
    /// time is left: a message that comes twice is better than none. `Retry-After` is
    /// waited for where that is soon enough. Proxies of the environment are used, but not
    /// for this machine itself; redirects are not followed.
    ///
    /// # Errors
    /// Fails when the secret is no URL, no answer comes in time, or it is not 2xx.
    pub fn post(&self, url: &Secret, post: &Post) -> Result<(), NotifyError> {
        let address = Address::parse(url).ok_or(NotifyError::Address)?;
        // At its most talkative level the library logs the whole URL.
        with_default(NoSubscriber::new(), || self.post_twice(&address, post))
    }

    fn post_twice(&self, address: &Address, post: &Post) -> Result<(), NotifyError> {
        let end = Instant::now() + self.patience.all;
        let first = self.attempt(address, post, self.patience.all);
        let again = match &first {
            Err(failure) if failure.is_passing() => {
                let pause = failure.retry_after().unwrap_or_default().max(self.patience.pause);
                let left = end.saturating_duration_since(Instant::now()).saturating_sub(pause);
                (!left.is_zero()).then_some((pause, left))
            }
            _ => None,
        };
        match again {
            Some((pause, left)) => {
                thread::sleep(pause);
                self.attempt(address, post, left)
            }
            None => first,
        }
        .map_err(|failure| self.error(failure, address))
    }

    fn attempt(&self, address: &Address, post: &Post, left: Duration) -> Result<(), Failure> {
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
        let request = request.header("Content-Type", "application/json");
        let headers = post.headers.iter();
        let request = headers.fold(request, |request, (name, value)| request.header(*name, value));
        let answer = request.send(&post.body).map_err(Failure::Connection)?;
        if answer.status().is_success() { Ok(()) } else { Err(Failure::refused(answer)) }
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
            Failure::Status { status, body, .. } => NotifyError::Rejected {
                target,
                status: status.as_u16(),
                body: cleaned(&body, SHOWN, &redactor),
            },
        }
    }
}

/// How one attempt failed.
enum Failure {
    Connection(ureq::Error),
    Status { status: StatusCode, retry_after: Option<Duration>, body: String },
}

impl Failure {
    fn refused(answer: Response<Body>) -> Self {
        let status = answer.status();
        let header = answer.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let header = header.and_then(seconds);
        let body = beginning(answer);
        let retry_after = header.or_else(|| retry_after_of(&body));
        Self::Status { status, retry_after, body }
    }

    /// Returns how long the service asks to wait.
    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Connection(_) => None,
        }
    }

    /// Tells whether another attempt may fare better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                *status >= StatusCode::INTERNAL_SERVER_ERROR
                    || *status == StatusCode::TOO_MANY_REQUESTS
            }
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

/// Reads a number of seconds; a date is as good as nothing.
fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads how long Discord and Telegram ask to wait, who say it in the answer's body.
fn retry_after_of(body: &str) -> Option<Duration> {
    let answer = serde_json::from_str::<serde_json::Value>(body).ok()?;
    let told = answer.get("retry_after").or_else(|| answer.pointer("/parameters/retry_after"));
    Duration::try_from_secs_f64(told?.as_f64()?).ok()
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
pub(super) mod tests;
