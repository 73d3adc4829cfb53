//! The services that take messages, with their secrets. Does I/O.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Message, NotifyError, Patience, Post, Webhook, mail};
use crate::{
    secret::{MissingSecrets, Redactor, Secret, Secrets},
    settings::{MailServer, NotifyService, WebhookKind},
};

/// The headers of what is posted as JSON: when it was, and the signature of that and the body.
const TIMESTAMP: &str = "X-Odoo-Deploy-Timestamp";
const SIGNATURE: &str = "X-Odoo-Deploy-Signature";

/// A service whose secrets are known.
#[derive(Debug, Clone)]
pub struct Service {
    way: Way,
    redactor: Redactor,
}

#[derive(Debug, Clone)]
enum Way {
    Webhook { url: Secret, kind: Option<WebhookKind>, secret: Option<Secret> },
    Telegram { token: Secret, chat: Secret, endpoint: String },
    Email { server: MailServer, login: Option<(String, Secret)> },
}

impl Service {
    /// Finds the secrets that a service is written with. Its errors show none of them, and
    /// none that the redactor knows.
    ///
    /// # Errors
    /// Returns the names that have no value.
    pub fn resolve(
        service: &NotifyService,
        secrets: &Secrets,
        redactor: &Redactor,
    ) -> Result<Self, MissingSecrets> {
        let mut redactor = redactor.clone();
        let mut find = |text: &str| {
            let secret = secrets.resolve(text)?;
            redactor.add(&secret);
            Ok(secret)
        };
        let way = match service {
            NotifyService::Webhook { url, kind, secret } => Way::Webhook {
                url: find(url)?,
                kind: *kind,
                secret: secret.as_deref().map(&mut find).transpose()?,
            },
            NotifyService::Telegram { token, chat, endpoint } => Way::Telegram {
                token: find(token)?,
                chat: secrets.resolve(chat)?,
                endpoint: endpoint.clone(),
            },
            NotifyService::Email(server) => Way::Email {
                server: (**server).clone(),
                login: match &server.login {
                    Some((user, password)) => {
                        let user = secrets.resolve(user)?.expose().to_owned();
                        Some((user, find(password)?))
                    }
                    None => None,
                },
            },
        };
        Ok(Self { way, redactor })
    }

    /// Sends a message. Blocks, for as long as the patience lasts at most.
    ///
    /// # Errors
    /// Fails where the service cannot be reached or does not take it.
    pub fn send(&self, message: &Message, patience: Patience) -> Result<(), NotifyError> {
        let webhook = Webhook::new(self.redactor.clone(), patience);
        match &self.way {
            Way::Webhook { url, kind, secret } => {
                let kind = kind.unwrap_or_else(|| kind_of(url.expose()));
                webhook.post(url, &written(message, kind, secret.as_ref()))
            }
            Way::Telegram { token, chat, endpoint } => {
                let token = bot_token(token).ok_or(NotifyError::Token)?;
                let url = Secret::new(format!("{endpoint}/bot{token}/sendMessage"));
                let body = message.to_telegram(chat.expose()).to_string();
                webhook.post(&url, &Post { body, headers: Vec::new() })
            }
            Way::Email { server, login } => {
                let login = login.as_ref().map(|(user, password)| (user.as_str(), password));
                mail::send(server, login, message, patience)
                    .map_err(|error| mail::redacted(error, &self.redactor))
            }
        }
    }
}

fn written(message: &Message, kind: WebhookKind, secret: Option<&Secret>) -> Post {
    let plain = |body: serde_json::Value| Post { body: body.to_string(), headers: Vec::new() };
    match kind {
        WebhookKind::Slack => plain(message.to_slack()),
        WebhookKind::Discord => plain(message.to_discord()),
        WebhookKind::Teams => plain(message.to_teams()),
        WebhookKind::Json => {
            let mut post = plain(message.to_json());
            if let Some(secret) = secret {
                post.headers = signed(&post.body, message.time, secret);
            }
            post
        }
    }
}

/// Signs a body and its time: who receives it can tell that it is ours, unchanged and no
/// copy of an old one.
fn signed(body: &str, time: i64, secret: &Secret) -> Vec<(&'static str, String)> {
    let key = secret.expose().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key has any length");
    mac.update(format!("{time}.{body}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let hexadecimal = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    vec![(TIMESTAMP, time.to_string()), (SIGNATURE, format!("sha256={hexadecimal}"))]
}

/// Tells what a webhook speaks by its host; a host that is not known speaks as Slack
/// does, as Mattermost and Rocket.Chat do.
fn kind_of(url: &str) -> WebhookKind {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_lowercase();
    let host = host.split(':').next().unwrap_or_default();
    let is_in = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if is_in("discord.com") || is_in("discordapp.com") {
        WebhookKind::Discord
    } else if ["logic.azure.com", "api.powerplatform.com", "webhook.office.com"]
        .into_iter()
        .any(is_in)
    {
        WebhookKind::Teams
    } else {
        WebhookKind::Slack
    }
}

/// Reads the token of a bot; anything else would make another address of the URL.
fn bot_token(token: &Secret) -> Option<&str> {
    let token = token.expose().trim();
    let (number, key) = token.split_once(':')?;
    let is_key = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_token = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (is_token && !key.is_empty() && key.chars().all(is_key)).then_some(token)
}

#[cfg(test)]
mod tests;
