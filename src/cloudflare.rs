//! Cloudflare's authority for servers behind it: certificates that only Cloudflare trusts.
//! Does I/O.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tracing::subscriber::{NoSubscriber, with_default};
use ureq::{Agent, Body, http::Response};

use crate::{host::HostName, secret::Secret};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a certificate is valid, in days: as long as Cloudflare allows, for nobody renews
/// it by itself.
const VALIDITY: u32 = 5475;

/// How much of an answer is read, in bytes.
const READ: u64 = 256 << 10;

/// The authority, and who asks it.
#[derive(Debug, Clone)]
pub struct OriginAuthority {
    /// Where the API is, without a slash at the end.
    pub endpoint: String,
    /// What gives the right to it.
    pub token: Secret,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OriginCertificate {
    /// Cloudflare's name for it.
    pub id: String,
    /// Itself, as PEM.
    pub certificate: String,
}

/// Cloudflare did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// No answer came.
    #[error("Cloudflare cannot be reached at {endpoint}")]
    NoAnswer {
        /// The API.
        endpoint: String,
        /// Why; boxed as it is large.
        #[source]
        source: Box<ureq::Error>,
    },
    /// It refuses.
    #[error("Cloudflare refuses to {what}: {said} (status {status})")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Its own words.
        said: String,
        /// The status of HTTP.
        status: u16,
    },
}

/// What every answer of the API is wrapped in.
#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    errors: Vec<ApiError>,
    result: Option<T>,
}

#[derive(Deserialize)]
struct ApiError {
    code: i64,
    message: String,
}

impl OriginError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoAnswer { .. } => {
                "look at the network of this machine, and at `endpoint` in `[dns]`"
            }
            Self::Refused { status: 401 | 403, .. } => {
                "the token needs the permission `SSL and Certificates: Edit` for the zone"
            }
            Self::Refused { .. } => "the zone has to be in the account that the token belongs to",
        }
    }
}

impl OriginAuthority {
    /// Has a signing request certified for the names.
    ///
    /// # Errors
    /// Fails where Cloudflare cannot be reached, or refuses.
    pub fn issue(
        &self,
        names: &[HostName],
        signing_request: &str,
    ) -> Result<OriginCertificate, OriginError> {
        let body = json!({
            "hostnames": names,
            "request_type": "origin-ecc",
            "requested_validity": VALIDITY,
            "csr": signing_request,
        });
        let url = format!("{}/certificates", self.endpoint);
        self.talk("issue a certificate", |agent| {
            let request = agent.post(&url).header("Authorization", &self.bearer());
            request.header("Content-Type", "application/json").send(body.to_string())
        })
    }

    /// Revokes a certificate.
    ///
    /// # Errors
    /// Fails where Cloudflare cannot be reached, or refuses.
    pub fn revoke(&self, id: &str) -> Result<(), OriginError> {
        // It comes from the answer of another: it must not lead elsewhere.
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let url = format!("{}/certificates/{id}", self.endpoint);
        self.talk::<serde_json::Value>("revoke a certificate", |agent| {
            agent.delete(&url).header("Authorization", &self.bearer()).call()
        })?;
        Ok(())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.expose())
    }

    fn talk<T: for<'de> Deserialize<'de>>(
        &self,
        what: &'static str,
        send: impl FnOnce(&Agent) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<T, OriginError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .user_agent("odoo-deploy")
            .timeout_global(Some(PATIENCE));
        let agent = Agent::new_with_config(config.build());
        // At its most talkative level the library logs headers.
        let answered = with_default(NoSubscriber::new(), || {
            let mut answer = send(&agent)?;
            let text = answer.body_mut().with_config().limit(READ).read_to_string()?;
            Ok((answer.status().as_u16(), text))
        });
        let (status, text) = answered.map_err(|source| OriginError::NoAnswer {
            endpoint: self.endpoint.clone(),
            source: Box::new(source),
        })?;
        read(what, status, &text)
    }
}

fn read<T: for<'de> Deserialize<'de>>(
    what: &'static str,
    status: u16,
    text: &str,
) -> Result<T, OriginError> {
    let refused = |said: String| OriginError::Refused { what, said, status };
    let envelope: Envelope<T> = serde_json::from_str(text)
        .map_err(|_| refused("its answer is none of the API's".to_owned()))?;
    match envelope.result {
        Some(result) if envelope.success => Ok(result),
        _ => {
            let errors: Vec<_> = envelope
                .errors
                .iter()
                .map(|error| format!("{} ({})", error.message, error.code))
                .collect();
            let none = || "it does not say why".to_owned();
            Err(refused(if errors.is_empty() { none() } else { errors.join("; ") }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_api_is_a_certificate_or_its_own_words() {
        let good = r#"{"success": true, "errors": [], "messages": [],
            "result": {"id": "328578533902268680212849205732770752308931942346",
                       "certificate": "-----BEGIN CERTIFICATE-----", "expires_on": "x"}}"#;
        let certificate: OriginCertificate = read("issue", 200, good).unwrap();
        assert_eq!(certificate.certificate, "-----BEGIN CERTIFICATE-----");
        let said = |status, text| {
            let error = read::<OriginCertificate>("issue a certificate", status, text).unwrap_err();
            (error.to_string(), error.hint())
        };
        let bad = r#"{"success": false, "result": null,
            "errors": [{"code": 1010, "message": "This zone is not part of your account"}]}"#;
        assert_eq!(
            said(400, bad).0,
            "Cloudflare refuses to issue a certificate: This zone is not part of your account (1010) (status 400)"
        );
        assert!(said(403, r#"{"success": false, "errors": []}"#).1.contains("permission"));
        assert!(said(502, "<html>").0.contains("its answer is none of the API's"));
    }

    #[test]
    fn the_token_is_not_shown() {
        let token = Secret::new("t0ken");
        let authority = OriginAuthority { endpoint: "https://api.example".into(), token };
        assert!(!format!("{authority:?}").contains("t0ken"));
    }
}
