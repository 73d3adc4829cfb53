//! Why a message was not taken. Pure.

use std::error::Error;

/// A message that a service did not take. A URL is a secret: only its scheme and host show.
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
    /// The token of a bot is something else.
    #[error("the token of the bot is none: it looks like `123456:ABC-DEF`")]
    Token,
    /// A mail could not be written.
    #[error("the mail cannot be written")]
    Letter(#[source] Box<dyn Error + Send + Sync>),
    /// A mail server did not take it.
    #[error("the mail server at {target} did not take the message")]
    Mail {
        /// Its address and port.
        target: String,
        /// Why, redacted.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
