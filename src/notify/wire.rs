//! Writes a message as each service takes it. Pure.
//!
//! A text has names of branches and first lines of commit messages in it, which anybody
//! writes: on no wire is it markup, a mention, or longer than the service takes.

use serde_json::{Value, json};

use super::Message;

/// The most UTF-16 units of a message of Discord's
/// (<https://docs.discord.com/developers/resources/webhook#execute-webhook>) and of
/// Telegram's (<https://core.telegram.org/bots/api#sendmessage>).
const DISCORD: usize = 2000;
const TELEGRAM: usize = 4096;

/// Discord's flag of a message whose links show no preview.
const SUPPRESS_EMBEDS: u32 = 1 << 2;

/// The version of the objects that are posted as JSON.
const SCHEMA: u32 = 1;

impl Message {
    /// Returns the JSON an incoming webhook of Slack accepts; Mattermost and
    /// Rocket.Chat take the same. Markup and previews of links are off.
    #[must_use]
    pub fn to_slack(&self) -> Value {
        json!({
            "text": slack_escaped(&self.text),
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
        })
    }

    /// Returns the JSON a webhook of Discord accepts. Nobody is mentioned.
    #[must_use]
    pub fn to_discord(&self) -> Value {
        json!({
            "content": bounded(discord_escaped(&self.text), DISCORD),
            "allowed_mentions": { "parse": [] },
            "flags": SUPPRESS_EMBEDS,
        })
    }

    /// Returns the JSON a workflow of Teams accepts ("When a Teams webhook request is
    /// received"): a message with an Adaptive Card. Its lines are `TextRun`s, which unlike
    /// a `TextBlock` know no Markdown; who is not in `msteams.entities` is not mentioned.
    #[must_use]
    pub fn to_teams(&self) -> Value {
        let block = |text: &str, weight: &str| {
            json!({
                "type": "RichTextBlock",
                "inlines": [{ "type": "TextRun", "text": text, "weight": weight }],
            })
        };
        let lines = self.details().lines().map(|line| block(line, "default"));
        let body = std::iter::once(block(&self.title, "bolder")).chain(lines);
        let open = |url: &String| json!({ "type": "Action.OpenUrl", "title": "Open", "url": url });
        let card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body.collect::<Vec<_>>(),
            "actions": self.run.url.iter().map(open).collect::<Vec<_>>(),
            "msteams": { "width": "Full" },
        });
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": card,
            }],
        })
    }

    /// Returns the JSON that `sendMessage` of Telegram's bots accepts. Without
    /// `parse_mode` there is no markup, but names behind an `@` are mentions.
    #[must_use]
    pub fn to_telegram(&self, chat: &str) -> Value {
        json!({
            "chat_id": chat,
            "text": bounded(unmentioned(&self.text, |c| vec![c]), TELEGRAM),
            "link_preview_options": { "is_disabled": true },
        })
    }

    /// Returns the run itself, for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let run = &self.run;
        let hosts = run.hosts.iter().map(|host| {
            let mut host = serde_json::to_value(host).expect("a host is JSON");
            host.as_object_mut().expect("a host is an object").remove("label");
            host
        });
        json!({
            "schema": SCHEMA,
            "event": run.event,
            "action": run.action,
            "title": self.title,
            "text": self.text,
            "hosts": hosts.collect::<Vec<_>>(),
            "message": run.message,
            "who": run.who,
            "from": run.from,
            "url": run.url,
            "duration_ms": self.duration,
            "time": self.time,
        })
    }
}

/// Escapes the three control characters of Slack's text
/// (<https://docs.slack.dev/messaging/formatting-message-text/>), so that `<!channel>`
/// and `<@U…>` are text. Mattermost and Rocket.Chat take a bare `@name` for a mention.
fn slack_escaped(text: &str) -> String {
    let escape = |c| match c {
        '&' => "&amp;".chars().collect(),
        '<' => "&lt;".chars().collect(),
        '>' => "&gt;".chars().collect(),
        c => vec![c],
    };
    unmentioned(text, escape).concat()
}

/// Parts each `@` that begins a word from what follows, by an invisible word joiner, and
/// escapes the other characters. Each item stays whole.
fn unmentioned(text: &str, escape: impl Fn(char) -> Vec<char>) -> Vec<String> {
    let mut before = ' ';
    let unit = |c: char| {
        let begins = !before.is_alphanumeric();
        before = c;
        if c == '@' && begins { "@\u{2060}".to_owned() } else { escape(c).into_iter().collect() }
    };
    text.chars().map(unit).collect()
}

/// Escapes Discord's Markdown by backslashes. A web address is left whole: within one
/// there is no markup, and backslashes would lead elsewhere. Each item stays whole.
fn discord_escaped(text: &str) -> Vec<String> {
    let mut units = Vec::new();
    for word in text.split_inclusive([' ', '\n']) {
        if is_plain_link(word.trim_end()) {
            units.push(word.to_owned());
            continue;
        }
        units.extend(word.chars().map(|c| match c {
            c if c.is_ascii_punctuation() && !".,;\"'/%=&".contains(c) => format!("\\{c}"),
            c => c.to_string(),
        }));
    }
    units
}

/// Tells whether a word is a web address without a character that could end it as markup.
fn is_plain_link(word: &str) -> bool {
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&+,;=%".contains(c);
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

/// Joins as many units as fit into so many UTF-16 units; never half of one.
fn bounded(units: Vec<String>, most: usize) -> String {
    let size = |text: &str| text.encode_utf16().count();
    if units.iter().map(|unit| size(unit)).sum::<usize>() <= most {
        return units.concat();
    }
    let mut left = most - 1;
    let fits = units.into_iter().take_while(|unit| {
        let used = size(unit);
        let fits = used <= left;
        left = left.saturating_sub(used);
        fits
    });
    fits.chain(["…".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{
        Ending, HostSummary,
        message::tests::{message, told},
        run::tests::{host, run},
    };

    /// A deploy of a commit with this first line.
    fn of_subject(subject: &str) -> Message {
        let commit = Some(("1a2b3c4d5e".to_owned(), subject.to_owned()));
        told(&run(vec![HostSummary { commit, ..host(Ending::Deployed) }]))
    }

    fn second_line(text: &Value) -> &str {
        text.as_str().unwrap().lines().nth(1).unwrap()
    }

    const HOSTILE: &str = "<!channel> <@U024BE7LH> &amp; *b* `c` @everyone a@b \
        [x](https://evil.example) ||s||\r\n\x1b[31mred\u{202e}x\u{200b}\u{2028}y";

    #[test]
    fn a_hostile_subject_stays_on_its_line_and_pins_nobody() {
        let message = of_subject(HOSTILE);
        assert_eq!(
            message.text.lines().nth(1).unwrap(),
            "main 1a2b3c4d5e <!channel> <@U024BE7LH> &amp; *b* `c` @everyone a@b \
             [x](https://evil.example) ||s|| [31mredx y",
        );
        let slack = message.to_slack();
        assert_eq!(
            second_line(&slack["text"]),
            "main 1a2b3c4d5e &lt;!channel&gt; &lt;@\u{2060}U024BE7LH&gt; &amp;amp; *b* `c` \
             @\u{2060}everyone a@b [x](https://evil.example) ||s|| [31mredx y",
        );
        assert!(!slack["text"].as_str().unwrap().contains(['<', '>']));
        assert_eq!(slack["mrkdwn"], false);
        assert_eq!(slack["unfurl_links"], false);
        let telegram = message.to_telegram("-1");
        assert!(second_line(&telegram["text"]).contains("<@\u{2060}U024BE7LH>"));
        assert!(second_line(&telegram["text"]).contains(" @\u{2060}everyone a@b "));
        assert!(telegram.get("parse_mode").is_none());
    }

    #[test]
    fn discord_takes_no_markup_and_mentions_nobody() {
        let discord = of_subject(HOSTILE).to_discord();
        assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
        assert_eq!(
            second_line(&discord["content"]),
            "main 1a2b3c4d5e \\<\\!channel\\> \\<\\@U024BE7LH\\> &amp; \\*b\\* \\`c\\` \
             \\@everyone a\\@b \\[x\\]\\(https\\://evil.example\\) \\|\\|s\\|\\| \\[31mredx y",
        );
        let last = discord["content"].as_str().unwrap().lines().last().unwrap();
        assert_eq!(last, "https://github.com/blink/odoo/actions/runs/1", "a link leads there");
        let link = of_subject("https://a.example/*x*_y_").to_discord();
        assert!(second_line(&link["content"]).ends_with("https\\://a.example/\\*x\\*\\_y\\_"));
    }

    #[test]
    fn a_card_of_teams_is_text_that_knows_no_markdown() {
        let teams = of_subject(HOSTILE).to_teams();
        assert_eq!(teams["type"], "message");
        let attachment = &teams["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        let card = &attachment["content"];
        assert_eq!(card["type"], "AdaptiveCard");
        let body = card["body"].as_array().unwrap();
        assert_eq!(body.len(), 4);
        for block in body {
            assert_eq!(block["type"], "RichTextBlock");
            assert_eq!(block["inlines"][0]["type"], "TextRun");
        }
        assert!(body[1]["inlines"][0]["text"].as_str().unwrap().contains("<!channel>"));
        assert!(card["msteams"].get("entities").is_none());
        assert_eq!(card["actions"][0]["url"], "https://github.com/blink/odoo/actions/runs/1");
    }

    #[test]
    fn no_service_is_sent_more_than_it_takes() {
        let hosts = (0..60)
            .map(|_| HostSummary {
                failure: Some("*𝄞<".repeat(2000)), ..host(Ending::Reverted)
            });
        let message = told(&run(hosts.collect()));
        let length = |value: &Value| value.as_str().unwrap().encode_utf16().count();
        let discord = message.to_discord();
        assert!(length(&discord["content"]) <= 2000);
        let content = discord["content"].as_str().unwrap();
        assert!(content.ends_with('…') && !content.ends_with("\\…"), "{content}");
        assert!(length(&message.to_telegram("-1")["text"]) <= 4096);
        assert!(message.to_slack().to_string().len() < 40_000, "Slack cuts off there");
        assert!(message.to_teams().to_string().len() < 28_000, "Teams refuses more");
    }

    #[test]
    fn programs_are_told_the_run_itself() {
        let told = serde_json::to_string_pretty(&message(Ending::Deployed).to_json()).unwrap();
        insta::assert_snapshot!(told, @r#"
        {
          "action": "deploy",
          "duration_ms": 134000,
          "event": "deployed",
          "from": "laptop",
          "hosts": [
            {
              "branch": "main",
              "commit": "1a2b3c4d5e",
              "ending": "deployed",
              "environment": "production",
              "failure": null,
              "hint": null,
              "host": "corteperfecto.somosblink.com",
              "interruption_ms": 38240,
              "release": 42,
              "subject": "Fix the till",
              "to": null,
              "what": "release 42 is live and verified"
            }
          ],
          "message": null,
          "schema": 1,
          "text": "corteperfecto.somosblink.com (production): release 42 is live and verified\nmain 1a2b3c4d5e Fix the till\nby alice from laptop in 2 min 14 s, users waited 38.2 s\nhttps://github.com/blink/odoo/actions/runs/1",
          "time": 1795343960,
          "title": "corteperfecto.somosblink.com (production): release 42 is live and verified",
          "url": "https://github.com/blink/odoo/actions/runs/1",
          "who": "alice"
        }
        "#);
    }
}
