use serde_json::Value;

use super::*;
use crate::notify::{
    Ending,
    message::tests::message,
    webhook::tests::{OK, Server},
};

fn secrets(pairs: &[(&str, &str)]) -> Secrets {
    Secrets::from_environment(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
}

/// Sends a message to a server of our own and returns what it got: the head and the body.
fn received(service: &NotifyService, secrets: &Secrets, server: &Server) -> (String, Value) {
    let service = Service::resolve(service, secrets, &Redactor::default()).unwrap();
    service.send(&message(Ending::Deployed), Patience::default()).unwrap();
    let request = server.requests.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

fn webhook(kind: Option<WebhookKind>, secret: Option<&str>) -> NotifyService {
    NotifyService::Webhook { url: "${URL}".to_owned(), kind, secret: secret.map(str::to_owned) }
}

#[test]
fn each_kind_of_webhook_is_sent_what_it_takes() {
    let keys: [(Option<WebhookKind>, &str); 5] = [
        (None, "text"),
        (Some(WebhookKind::Slack), "mrkdwn"),
        (Some(WebhookKind::Discord), "allowed_mentions"),
        (Some(WebhookKind::Teams), "attachments"),
        (Some(WebhookKind::Json), "hosts"),
    ];
    for (kind, key) in keys {
        let server = Server::answering(&[OK]);
        let secrets = secrets(&[("URL", server.url.expose())]);
        let (head, body) = received(&webhook(kind, None), &secrets, &server);
        assert!(body.get(key).is_some(), "{kind:?}: {body}");
        assert!(!head.to_lowercase().contains("x-odoo-deploy"), "{head}");
    }
}

#[test]
fn a_webhook_is_known_by_its_host() {
    for (url, kind) in [
        ("https://hooks.slack.com/services/T/B/x", WebhookKind::Slack),
        ("https://chat.example.com/hooks/x", WebhookKind::Slack),
        ("https://discord.com/api/webhooks/1/x", WebhookKind::Discord),
        ("https://canary.discord.com/api/webhooks/1/x", WebhookKind::Discord),
        ("https://discordapp.com/api/webhooks/1/x", WebhookKind::Discord),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", WebhookKind::Teams),
        (
            "https://default1.2.environment.api.powerplatform.com:443/powerautomate/x",
            WebhookKind::Teams,
        ),
        ("https://example.webhook.office.com/webhookb2/x", WebhookKind::Teams),
        ("https://notdiscord.com/discord.com/x", WebhookKind::Slack),
        ("https://discord.com@chat.example.com/x", WebhookKind::Slack),
    ] {
        assert_eq!(kind_of(url), kind, "{url}");
    }
}

#[test]
fn a_signature_is_of_the_time_and_the_body() {
    let headers = signed("{\"a\":1}", 1_795_343_960, &Secret::new("s3cr3t-key"));
    // By Python's `hmac`, as docs/guides/notifications.md shows it.
    let expected = "sha256=f6f9a4bd10b39d94e221dd949904fd6a4133771625476c17af3abe22feef82c4";
    let time = "1795343960".to_owned();
    assert_eq!(headers, [(TIMESTAMP, time), (SIGNATURE, expected.to_owned())]);
}

#[test]
fn what_is_posted_as_json_comes_with_its_signature() {
    let server = Server::answering(&[OK]);
    let secrets = secrets(&[("URL", server.url.expose()), ("KEY", "s3cr3t-key")]);
    let service = webhook(Some(WebhookKind::Json), Some("${KEY}"));
    let (head, body) = received(&service, &secrets, &server);
    let signature = &signed(&body.to_string(), 1_795_343_960, &Secret::new("s3cr3t-key"))[1].1;
    let head = head.to_lowercase();
    assert!(head.contains("\r\nx-odoo-deploy-timestamp: 1795343960"), "{head}");
    assert!(head.contains(&format!("\r\nx-odoo-deploy-signature: {signature}")), "{head}");
}

#[test]
fn a_bot_of_telegram_writes_into_its_chat() {
    let server = Server::answering(&[OK]);
    let endpoint = server.url.expose().split("/services").next().unwrap().to_owned();
    let service = NotifyService::Telegram {
        token: "${TOKEN}".to_owned(),
        chat: "-100123".to_owned(),
        endpoint: endpoint.clone(),
    };
    let secrets = secrets(&[("TOKEN", "123456:ABC-DEF_gh")]);
    let (head, body) = received(&service, &secrets, &server);
    assert!(head.starts_with("POST /bot123456:ABC-DEF_gh/sendMessage HTTP/1.1\r\n"), "{head}");
    assert_eq!(body["chat_id"], "-100123");
    assert_eq!(body["link_preview_options"]["is_disabled"], true);

    let refused = format!(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{}",
        "bot123456:ABC-DEF_gh: ABC-DEF_gh 123456:ABC-DEF_gh".len(),
        "bot123456:ABC-DEF_gh: ABC-DEF_gh 123456:ABC-DEF_gh",
    );
    let server = Server::answering(&[&refused]);
    let endpoint = server.url.expose().split("/services").next().unwrap().to_owned();
    let NotifyService::Telegram { token, chat, .. } = service else { unreachable!() };
    let service = NotifyService::Telegram { token, chat, endpoint };
    let service = Service::resolve(&service, &secrets, &Redactor::default()).unwrap();
    let error = service.send(&message(Ending::Deployed), Patience::default()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("ABC-DEF_gh:"), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("123456:ABC"), "{error:?}");
}

#[test]
fn a_token_that_is_none_makes_no_address() {
    for odd in ["", "123456", "123456:", "123456:a/../b", "123456:a?b", "x:abc", "1:a b"] {
        assert_eq!(bot_token(&Secret::new(odd)), None, "{odd}");
    }
}

#[test]
fn a_secret_without_a_value_is_named() {
    let missing = Service::resolve(&webhook(None, None), &secrets(&[]), &Redactor::default());
    assert_eq!(missing.unwrap_err().to_string(), "no value for `URL`");
}
