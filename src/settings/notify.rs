//! `[notify.NAME]`: who hears of deploys, and where.

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

use super::{
    Environment,
    acme::parse_email,
    parse::Check,
    values::{api, plain_word, secret_name, webhook},
};
use crate::host::EnvironmentName;

/// Where bots of Telegram are spoken for.
const TELEGRAM: &str = "https://api.telegram.org";

/// A place that hears of deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyChannel {
    /// What takes the message.
    pub service: NotifyService,
    /// `on`: the events that are sent.
    pub on: Vec<NotifyEvent>,
    /// `environments`: only these; empty is all.
    pub environments: Vec<EnvironmentName>,
}

/// What takes a message. Secrets are names still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyService {
    /// `webhook`: a URL that a message is posted to.
    Webhook {
        /// The URL, `${NAME}` still in it.
        url: String,
        /// `kind`: what it speaks; none where the URL tells.
        kind: Option<WebhookKind>,
        /// `secret`: `${NAME}`, the key that signs what is posted as JSON.
        secret: Option<String>,
    },
    /// `telegram`: a bot that writes into a chat.
    Telegram {
        /// `token`: `${NAME}`, the bot's.
        token: String,
        /// `chat`: the number of the chat, or `@channel`.
        chat: String,
        /// `endpoint`: where the bots' API is, without a slash at the end.
        endpoint: String,
    },
    /// `email`.
    Email(Box<MailServer>),
}

/// What a webhook speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookKind {
    /// Slack's incoming webhooks, and what speaks like them.
    Slack,
    /// Discord's webhooks.
    Discord,
    /// Workflows of Microsoft Teams.
    Teams,
    /// The run itself, for programs.
    Json,
}

/// Who takes mail, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// `server`: its name or address.
    pub server: String,
    /// `port`.
    pub port: u16,
    /// `tls`: how the connection is kept from others.
    pub tls: MailSecurity,
    /// `user` and `password`, `${NAME}` still in them.
    pub login: Option<(String, String)>,
    /// `from`: who writes.
    pub from: String,
    /// `to`: who is written to.
    pub to: Vec<String>,
}

/// How a connection for mail is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// It begins in the open and goes on encrypted, or not at all.
    StartTls,
    /// It is encrypted from the start.
    Tls,
    /// It is in the open.
    None,
}

impl MailSecurity {
    /// Returns the port where `port` is not written (RFC 6409, RFC 8314, RFC 5321).
    const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// An outcome a channel can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotifyEvent {
    /// Nothing had to be done.
    Unchanged,
    /// A new release is live.
    Deployed,
    /// A deploy failed, reverted or not.
    Failed,
}

impl NotifyEvent {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Deployed => "deployed",
            Self::Failed => "failed",
        }
    }
}

/// A channel as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenChannel {
    webhook: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    secret: Option<Spanned<String>>,
    telegram: Option<WrittenTelegram>,
    email: Option<WrittenEmail>,
    #[serde(default)]
    on: Vec<Spanned<String>>,
    #[serde(default)]
    environments: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTelegram {
    token: Spanned<String>,
    chat: Spanned<String>,
    endpoint: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEmail {
    server: Spanned<String>,
    port: Option<Spanned<u16>>,
    tls: Option<Spanned<String>>,
    user: Option<Spanned<String>>,
    password: Option<Spanned<String>>,
    from: Spanned<String>,
    to: Spanned<Vec<Spanned<String>>>,
}

impl Check<'_> {
    pub(super) fn channels(
        &mut self,
        written: IndexMap<Spanned<String>, WrittenChannel>,
        known: &IndexMap<EnvironmentName, Environment>,
    ) -> IndexMap<String, NotifyChannel> {
        let mut channels = IndexMap::new();
        for (name, channel) in written {
            let on = channel.on.iter().filter_map(|event| self.value(event, |text| event_of(text)));
            let on = on.collect::<Vec<_>>();
            let environment = |text: &str| match EnvironmentName::parse(text) {
                Ok(name) if known.contains_key(&name) => Ok(name),
                _ => Err(format!("there is no environment `{text}`")),
            };
            let environments = channel.environments.iter();
            let environments = environments
                .filter_map(|name| self.value(name, |text| environment(text)))
                .collect();
            let on = if channel.on.is_empty() {
                vec![NotifyEvent::Deployed, NotifyEvent::Failed]
            } else {
                on
            };
            if let Some(service) = self.service(&name, channel) {
                channels.insert(name.into_inner(), NotifyChannel { service, on, environments });
            }
        }
        channels
    }

    fn service(
        &mut self,
        name: &Spanned<String>,
        written: WrittenChannel,
    ) -> Option<NotifyService> {
        let WrittenChannel { webhook, kind, secret, telegram, email, .. } = written;
        if webhook.is_none() {
            for (key, value) in [("kind", &kind), ("secret", &secret)] {
                if let Some(value) = value {
                    self.fault(value, format!("`{key}` belongs to a `webhook`"), None);
                }
            }
        }
        match (webhook, telegram, email) {
            (Some(url), None, None) => self.webhook(&url, kind.as_ref(), secret.as_ref()),
            (None, Some(telegram), None) => self.telegram(&telegram),
            (None, None, Some(email)) => self.email(&email),
            (None, None, None) => {
                let message = format!("channel `{}` leads nowhere", name.get_ref());
                self.fault(name, message, Some("give it a `webhook`, `telegram` or `email`"));
                None
            }
            _ => {
                let message = format!("channel `{}` leads to several places", name.get_ref());
                self.fault(name, message, Some("write a channel for each"));
                None
            }
        }
    }

    fn webhook(
        &mut self,
        url: &Spanned<String>,
        kind: Option<&Spanned<String>>,
        secret: Option<&Spanned<String>>,
    ) -> Option<NotifyService> {
        let url = self.value(url, |text| webhook(text));
        let kind = kind.map(|kind| self.value(kind, |text| kind_of(text)));
        if let Some(at) = secret.filter(|_| kind != Some(Some(WebhookKind::Json))) {
            self.fault(at, "only what is posted as JSON is signed", Some("add `kind = \"json\"`"));
        }
        let secret = secret.map(|secret| self.value(secret, |text| secret_name(text)));
        Some(NotifyService::Webhook { url: url?, kind: kind.flatten(), secret: secret.flatten() })
    }

    fn telegram(&mut self, written: &WrittenTelegram) -> Option<NotifyService> {
        let token = self.value(&written.token, |text| secret_name(text));
        let chat = self.value(&written.chat, |text| chat_of(text));
        let endpoint = match &written.endpoint {
            Some(endpoint) => self.value(endpoint, |text| api(text)),
            None => Some(TELEGRAM.to_owned()),
        };
        Some(NotifyService::Telegram { token: token?, chat: chat?, endpoint: endpoint? })
    }

    fn email(&mut self, written: &WrittenEmail) -> Option<NotifyService> {
        let tls = match &written.tls {
            Some(tls) => self.value(tls, |text| security_of(text)),
            None => Some(MailSecurity::StartTls),
        };
        let server = self.value(&written.server, |text| mail_host(text));
        let port = written.port.as_ref().and_then(|port| self.value(port, |port| port_of(*port)));
        let from = self.value(&written.from, |text| parse_email(text));
        if written.to.get_ref().is_empty() {
            self.fault(&written.to, "`to` names nobody", None);
        }
        let to = written.to.get_ref().iter();
        let to = to.filter_map(|one| self.value(one, |text| parse_email(text))).collect();
        let login = self.login(written, tls);
        let tls = tls?;
        let port = port.unwrap_or(tls.port());
        let server = MailServer { server: server?, port, tls, login, from: from?, to };
        Some(NotifyService::Email(Box::new(server)))
    }

    fn login(
        &mut self,
        written: &WrittenEmail,
        tls: Option<MailSecurity>,
    ) -> Option<(String, String)> {
        match (&written.user, &written.password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                if tls == Some(MailSecurity::None) {
                    let hint = "write `tls = \"starttls\"` or `tls = \"tls\"`";
                    self.fault(password, "a password does not travel in the open", Some(hint));
                }
                let user = self.value(user, |text| line(text));
                let password = self.value(password, |text| secret_name(text));
                Some((user?, password?))
            }
            (Some(one), None) | (None, Some(one)) => {
                self.fault(one, "`user` and `password` go together", None);
                None
            }
        }
    }
}

/// Reads the name of an event.
fn event_of(text: &str) -> Result<NotifyEvent, String> {
    match text {
        "deployed" => Ok(NotifyEvent::Deployed),
        "unchanged" => Ok(NotifyEvent::Unchanged),
        "failed" => Ok(NotifyEvent::Failed),
        _ => Err(format!("`{text}` is not `deployed`, `unchanged` or `failed`")),
    }
}

fn kind_of(text: &str) -> Result<WebhookKind, String> {
    match text {
        "slack" => Ok(WebhookKind::Slack),
        "discord" => Ok(WebhookKind::Discord),
        "teams" => Ok(WebhookKind::Teams),
        "json" => Ok(WebhookKind::Json),
        _ => Err(format!("`{text}` is not `slack`, `discord`, `teams` or `json`")),
    }
}

fn security_of(text: &str) -> Result<MailSecurity, String> {
    match text {
        "starttls" => Ok(MailSecurity::StartTls),
        "tls" => Ok(MailSecurity::Tls),
        "none" => Ok(MailSecurity::None),
        _ => Err(format!("`{text}` is not `starttls`, `tls` or `none`")),
    }
}

/// Reads a chat of Telegram; a number comes with a minus for groups.
fn chat_of(text: &str) -> Result<String, String> {
    let is_number = text.parse::<i64>().is_ok();
    let is_name = text.strip_prefix('@').is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    if is_number || is_name || secret_name(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err("a chat is a number, `@channel`, or `${NAME}` for a secret that is one".to_owned())
}

/// Reads where a mail server is; its port is a key of its own.
fn mail_host(text: &str) -> Result<String, String> {
    let word = plain_word(text)?;
    if word.contains(['/', '@'])
        || (word.contains(':') && word.parse::<std::net::IpAddr>().is_err())
    {
        return Err(format!("`{word}` is no name or address of a server"));
    }
    Ok(word)
}

fn port_of(port: u16) -> Result<u16, &'static str> {
    if port == 0 { Err("0 is no port") } else { Ok(port) }
}

/// Reads a text without a line break.
fn line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(format!("`{}` is no name of a user", text.escape_debug()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        host::{ConfigError, SourceError},
        settings::Settings,
    };

    fn parse(text: &str) -> Result<Settings, ConfigError> {
        Settings::parse(&format!("[notify.team]\n{text}\n"), Path::new("config/deploy.toml"))
    }

    fn service(text: &str) -> NotifyService {
        parse(text).unwrap().notify["team"].service.clone()
    }

    fn fault(text: &str) -> SourceError {
        parse(text).unwrap_err().faults().next().unwrap().clone()
    }

    #[test]
    fn a_channel_names_events_and_environments_that_exist() {
        let settings = parse("webhook = \"${SLACK}\"").unwrap();
        assert_eq!(settings.notify["team"].on, [NotifyEvent::Deployed, NotifyEvent::Failed]);
        for bad in [
            "webhook = \"${S}\"\non = [\"done\"]",
            "webhook = \"${S}\"\nenvironments = [\"prod\"]",
            "webhook = \"http://example.com\"",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let shown = fault("webhook = \"http://x/T0KEN\"");
        assert!(!format!("{shown:?}").contains("T0KEN"), "{shown:?}");
    }

    #[test]
    fn a_channel_leads_to_one_place() {
        assert_eq!(fault("on = [\"failed\"]").message, "channel `team` leads nowhere");
        let two = "webhook = \"${S}\"\ntelegram = { token = \"${T}\", chat = \"-1\" }";
        assert_eq!(fault(two).message, "channel `team` leads to several places");
    }

    #[test]
    fn a_webhook_says_what_it_speaks_and_only_json_is_signed() {
        let NotifyService::Webhook { kind, secret, .. } = service("webhook = \"${S}\"") else {
            panic!("a webhook")
        };
        assert_eq!((kind, secret), (None, None));
        let signed = service("webhook = \"${S}\"\nkind = \"json\"\nsecret = \"${K}\"");
        let NotifyService::Webhook { kind, secret, .. } = signed else { panic!("a webhook") };
        assert_eq!((kind, secret.as_deref()), (Some(WebhookKind::Json), Some("${K}")));
        for bad in [
            "webhook = \"${S}\"\nkind = \"irc\"",
            "webhook = \"${S}\"\nsecret = \"${K}\"",
            "webhook = \"${S}\"\nkind = \"slack\"\nsecret = \"${K}\"",
            "webhook = \"${S}\"\nkind = \"json\"\nsecret = \"plain\"",
            "kind = \"slack\"\ntelegram = { token = \"${T}\", chat = \"-1\" }",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_chat_of_telegram_is_a_number_or_a_channel() {
        let telegram = service("telegram = { token = \"${T}\", chat = \"-100123\" }");
        let NotifyService::Telegram { endpoint, .. } = telegram else { panic!("Telegram") };
        assert_eq!(endpoint, "https://api.telegram.org");
        for bad in [
            "telegram = { token = \"12:abc\", chat = \"-1\" }",
            "telegram = { token = \"${T}\", chat = \"my chat\" }",
            "telegram = { token = \"${T}\" }",
            "telegram = { token = \"${T}\", chat = \"1\", endpoint = \"http://example.com\" }",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mail_goes_encrypted_unless_it_is_written_otherwise() {
        let plain =
            "server = \"smtp.example.com\", from = \"d@example.com\", to = [\"a@b.example\"]";
        let email = |more: &str| format!("email = {{ {plain}{more} }}");
        let NotifyService::Email(mail) = service(&email("")) else { panic!("mail") };
        assert_eq!((mail.port, mail.tls, &mail.login), (587, MailSecurity::StartTls, &None));
        let NotifyService::Email(mail) = service(&email(", tls = \"tls\"")) else { panic!("mail") };
        assert_eq!(mail.port, 465);
        for bad in [
            ", tls = \"ssl\"",
            ", port = 0",
            ", user = \"u\"",
            ", password = \"${P}\"",
            ", user = \"u\", password = \"plain\"",
            ", user = \"u\", password = \"${P}\", tls = \"none\"",
        ] {
            assert!(parse(&email(bad)).is_err(), "{bad}");
        }
        let lines = "email = { server = \"s.example\", from = \"a@b.example\", to = [] }";
        assert_eq!(fault(lines).message, "`to` names nobody");
        let injected = "email = { server = \"s.example\", from = \"a@b.example\\nBcc: x@y.example\", \
                        to = [\"a@b.example\"] }";
        assert!(parse(injected).is_err());
    }
}
