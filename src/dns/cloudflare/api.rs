//! Requests to Cloudflare's API, and what it answers. Does I/O.

use std::{error::Error, net::IpAddr, thread, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::subscriber::{NoSubscriber, with_default};
use ureq::{
    Agent, Body,
    http::{Response, Uri},
};

use super::senseless;
use crate::secret::{Redactor, Secret};

/// How long a connection, and a whole request, may take.
const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(20);

/// How often a request is made at most.
const ATTEMPTS: u32 = 3;
/// How long to wait before another, where the answer does not say so.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest wait that an answer may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How many records come on a page.
const PER_PAGE: &str = "100";

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no answer, or one that makes no sense.
    NoAnswer(Box<dyn Error + Send + Sync>),
    /// The answer is no.
    Said { status: u16, codes: Vec<u32>, said: String },
}

/// The API, with a token.
pub(super) struct Api {
    endpoint: String,
    token: Secret,
    redactor: Redactor,
}

/// What every answer looks like.
#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    errors: Vec<Complaint>,
    #[serde(default)]
    result: Value,
    result_info: Option<Pages>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Pages {
    #[serde(default)]
    total_pages: u32,
}

impl Api {
    pub(super) fn new(endpoint: String, token: Secret) -> Self {
        let mut redactor = Redactor::default();
        redactor.add(&token);
        Self { endpoint, token, redactor }
    }

    /// Reads all pages of a list.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, &str)],
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut page = 1_u32;
        loop {
            let number = page.to_string();
            let paging = [("page", number.as_str()), ("per_page", PER_PAGE)];
            let query = [filters, &paging].concat();
            let answer = self.request(path, &query, None)?;
            all.extend(read::<Vec<T>>(answer.result)?);
            let pages = answer.result_info.map_or(1, |info| info.total_pages);
            if page >= pages {
                return Ok(all);
            }
            page += 1;
        }
    }

    /// Posts an object.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        read(self.request(path, &[], Some(body))?.result)
    }

    fn request(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        // At its most talkative level the library logs headers.
        with_default(NoSubscriber::new(), || {
            let mut attempt = 1;
            loop {
                let answer = self.send(path, query, body);
                let pause = match &answer {
                    Ok(answer) => pause(answer, body.is_none(), attempt),
                    // Whether a change was made before the connection broke is not known.
                    Err(_) => body.is_none().then_some(PAUSE),
                };
                match pause.filter(|_| attempt < ATTEMPTS) {
                    Some(pause) => thread::sleep(pause),
                    None => return self.understand(answer),
                }
                attempt += 1;
            }
        })
    }

    fn send(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Response<Body>, ureq::Error> {
        let url = format!("{}{path}", self.endpoint);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent("odoo-deploy")
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST));
        if is_loopback(&url) {
            config = config.proxy(None);
        }
        let agent = Agent::new_with_config(config.build());
        let token = format!("Bearer {}", self.token.expose());
        match body {
            None => {
                let request = agent.get(&url).query_pairs(query.iter().copied());
                request.header("Authorization", token).call()
            }
            Some(body) => agent.post(&url).header("Authorization", token).send_json(body),
        }
    }

    fn understand(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, Failure> {
        let mut answer = answer.map_err(|error| {
            let said = match error {
                ureq::Error::Timeout(_) => "it took too long".to_owned(),
                error => self.redactor.redact(&error.to_string()),
            };
            Failure::NoAnswer(std::io::Error::other(said).into())
        })?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        match serde_json::from_str::<Answer>(&text) {
            Ok(answer) if answer.success && status < 400 => Ok(answer),
            Ok(answer) => {
                let said =
                    answer.errors.iter().map(|one| format!("{} ({})", one.message, one.code));
                let said = said.collect::<Vec<_>>().join("; ");
                let said = if said.is_empty() { format!("status {status}") } else { said };
                Err(Failure::Said {
                    status,
                    codes: answer.errors.iter().map(|one| one.code).collect(),
                    said: self.redactor.redact(&said),
                })
            }
            Err(_) if status < 400 => Err(Failure::NoAnswer(senseless("it answers no JSON"))),
            Err(_) => {
                Err(Failure::Said { status, codes: Vec::new(), said: format!("status {status}") })
            }
        }
    }
}

/// Says how long to wait before another attempt; none where that would not help.
fn pause(answer: &Response<Body>, repeatable: bool, attempt: u32) -> Option<Duration> {
    match answer.status().as_u16() {
        429 => {
            let wish = answer.headers().get("retry-after").and_then(|wish| wish.to_str().ok());
            let wish = wish.and_then(|wish| wish.parse().ok()).map(Duration::from_secs);
            Some(wish.unwrap_or(PAUSE * 2_u32.pow(attempt)).min(LONGEST_PAUSE))
        }
        500.. if repeatable => Some(PAUSE),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::NoAnswer(error.into()))
}

fn is_loopback(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
