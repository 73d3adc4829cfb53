//! HTTP to the server itself: one address, no proxy, no redirects followed.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ureq::{
    Agent,
    config::{Config, ConfigBuilder},
    http::Uri,
    tls::TlsConfig,
    typestate::AgentScope,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport},
    },
};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Location`, where it redirects.
    pub location: Option<String>,
    /// The cookies it sets, as a request sends them back.
    pub cookie: Option<String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Tells whether it sends the client elsewhere.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// A request that brought no answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {url}")]
pub struct HttpError {
    /// The URL.
    pub url: String,
    /// Why; boxed as it is large.
    #[source]
    pub source: Box<ureq::Error>,
}

/// A client of one address, whatever host a URL names.
#[derive(Debug, Clone)]
pub struct HttpClient {
    agent: Agent,
}

/// The most that is read of a body: a page of Odoo has some 100 KB, a bundle of
/// scripts some MB.
const LARGEST: u64 = 32 << 20;

/// Answers every name with the same address.
#[derive(Debug)]
struct Pinned(IpAddr);

impl Resolver for Pinned {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let mut addresses = self.empty();
        addresses.push(SocketAddr::new(self.0, port));
        Ok(addresses)
    }
}

/// Keeps a connection that was just made until something is to be asked over it.
struct Gate<F>(F);

impl<F> fmt::Debug for Gate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl<In: Transport, F: Fn() -> bool + Send + Sync + 'static> Connector<In> for Gate<F> {
    type Out = In;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        connection: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        if (self.0)() { Ok(connection) } else { Err(ureq::Error::ConnectionFailed) }
    }
}

impl HttpClient {
    /// Opens a client of this address. Certificates are not judged: what it talks
    /// to is the machine it runs on.
    #[must_use]
    pub fn new(address: IpAddr, timeout: Duration) -> Self {
        let config = config().timeout_global(Some(timeout)).build();
        Self { agent: Agent::with_parts(config, DefaultConnector::new(), Pinned(address)) }
    }

    /// The same, but asks only once it is connected and `is_open` has returned, which may take
    /// its time; where it says no, there is no answer. The timeout is for each part else.
    #[must_use]
    pub fn behind_gate(
        address: IpAddr,
        timeout: Duration,
        is_open: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let config = config()
            .timeout_connect(Some(timeout))
            .timeout_send_request(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .build();
        let connector = DefaultConnector::new().chain(Gate(is_open));
        Self { agent: Agent::with_parts(config, connector, Pinned(address)) }
    }

    /// Fetches a URL with further headers.
    ///
    /// # Errors
    /// Fails when no answer comes; every status is an answer.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, HttpError> {
        let fail = |source| HttpError { url: url.to_owned(), source: Box::new(source) };
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.call().map_err(fail)?).map_err(fail)
    }

    /// Posts JSON to a URL with further headers.
    ///
    /// # Errors
    /// Fails when no answer comes; every status is an answer.
    pub fn post_json(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, HttpError> {
        let fail = |source| HttpError { url: url.to_owned(), source: Box::new(source) };
        let mut request = self.agent.post(url).header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send(body).map_err(fail)?).map_err(fail)
    }
}

fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent("odoo-deploy")
        .max_idle_connections(0)
        .tls_config(TlsConfig::builder().disable_verification(true).build())
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let header = |name| response.headers().get_all(name).iter().filter_map(|v| v.to_str().ok());
    let location = header("location").next().map(str::to_owned);
    let cookies: Vec<_> = header("set-cookie").filter_map(|text| text.split(';').next()).collect();
    let cookie = (!cookies.is_empty()).then(|| cookies.join("; "));
    Ok(Answer {
        status: response.status().as_u16(),
        location,
        cookie,
        body: response.body_mut().with_config().limit(LARGEST).lossy_utf8(true).read_to_string()?,
    })
}
