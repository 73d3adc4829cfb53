//! What a new host's file is made of: a template whose `<words>` are replaced.

use std::path::{Path, PathBuf};

use super::{ClientName, Ports};
use crate::{
    host::{ConfigError, EnvironmentName, HostName, Origin, ServerName, SourceError, did_you_mean},
    odoo::Series,
};

/// What the `<words>` of a template stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholders {
    /// `<client>`, and `<CLIENT>` in names of secrets.
    pub client: ClientName,
    /// `<hostname>`.
    pub hostname: HostName,
    /// `<server>`.
    pub server: ServerName,
    /// `<odoo>`.
    pub odoo: Series,
    /// `<http_port>` and `<gevent_port>`.
    pub ports: Ports,
}

/// A word and what it stands for.
type Word = (&'static str, String);

/// Returns where the template of an environment is, relative to the root of the repository.
#[must_use]
pub fn template_path(environment: &EnvironmentName) -> PathBuf {
    Path::new("config/templates").join(format!("{environment}.template.conf"))
}

/// Replaces the `<words>` of a template. Lines that begin with `;;` are about the template
/// and are left out, and so are blank lines above the first that stays.
///
/// # Errors
/// Returns every word that stands for nothing, with its line, but for those of comments.
pub fn fill(path: &Path, text: &str, values: &Placeholders) -> Result<String, ConfigError> {
    let words: [Word; 7] = [
        ("client", values.client.to_string()),
        ("CLIENT", values.client.in_capitals()),
        ("hostname", values.hostname.to_string()),
        ("server", values.server.to_string()),
        ("odoo", values.odoo.to_string()),
        ("http_port", values.ports.http.to_string()),
        ("gevent_port", values.ports.gevent.to_string()),
    ];
    let (mut filled, mut faults) = (String::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if line.starts_with(";;") || (filled.is_empty() && line.trim().is_empty()) {
            continue;
        }
        let is_comment = line.trim_start().starts_with([';', '#']);
        match fill_line(line, &words) {
            Err(_) if is_comment => {
                filled.push_str(line);
                filled.push('\n');
            }
            Ok(line) => {
                filled.push_str(&line);
                filled.push('\n');
            }
            Err(unknown) => {
                let text = line.to_owned();
                let origin = Origin { file: path.to_owned(), line: index + 1, text };
                faults.extend(unknown.iter().map(|word| unknown_word(&origin, word, &words)));
            }
        }
    }
    ConfigError::unless_empty(faults, filled)
}

fn unknown_word(origin: &Origin, word: &str, words: &[Word]) -> SourceError {
    let near = did_you_mean(word, words.iter().map(|(word, _)| *word));
    let all = || {
        let all: Vec<_> = words.iter().map(|(word, _)| format!("<{word}>")).collect();
        format!("a template knows {}", all.join(", "))
    };
    let near = near.map(|near| near.replacen('`', "`<", 1).replacen("`?", ">`?", 1));
    SourceError::new(origin, format!("`<{word}>` stands for nothing"))
        .with_hint(near.unwrap_or_else(all))
}

/// Replaces the words of a line, or returns those that are not known.
fn fill_line(line: &str, words: &[Word]) -> Result<String, Vec<String>> {
    let (mut filled, mut unknown) = (String::new(), Vec::new());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        filled.push_str(before);
        let word = after.split_once('>').filter(|(word, _)| is_word(word));
        let Some((word, behind)) = word else {
            filled.push('<');
            rest = after;
            continue;
        };
        match words.iter().find(|(known, _)| *known == word) {
            Some((_, value)) => filled.push_str(value),
            None => unknown.push(word.to_owned()),
        }
        rest = behind;
    }
    filled.push_str(rest);
    if unknown.is_empty() { Ok(filled) } else { Err(unknown) }
}

/// `<info@example.com>` and `a < b > c` are none.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, ConfigError> {
        let values = Placeholders {
            client: ClientName::parse("corte-perfecto").unwrap(),
            hostname: HostName::parse("cp.example.com").unwrap(),
            server: ServerName::parse("aws-1").unwrap(),
            odoo: Series::V19,
            ports: Ports { http: 8069, gevent: 8072 },
        };
        fill(Path::new("config/templates/test.template.conf"), text, &values)
    }

    #[test]
    fn words_are_replaced_wherever_they_stand() {
        let text = "x = <client>-<CLIENT> ${<CLIENT>_DB}\n<hostname><server>\n\
                    <odoo> <http_port>/<gevent_port>\n";
        assert_eq!(
            filled(text).unwrap(),
            "x = corte-perfecto-CORTE_PERFECTO ${CORTE_PERFECTO_DB}\ncp.example.comaws-1\n\
             19.0 8069/8072\n"
        );
    }

    #[test]
    fn lines_about_the_template_are_left_out() {
        assert_eq!(
            filled(";; <word>s are replaced\n\n; a comment\na = 1").unwrap(),
            "; a comment\na = 1\n"
        );
    }

    #[test]
    fn what_is_no_word_stays() {
        for text in [
            "; any <word>\n",
            "Acme <info@acme.com>\n",
            "a < b > c\n",
            "<>\n",
            "<9>\n",
            "a <client\n",
            "<<\n",
        ] {
            assert_eq!(filled(text).unwrap(), text);
        }
    }

    #[test]
    fn an_unknown_word_is_an_error_with_its_line() {
        let error = filled("a = <client>\nb = <clinet> <databases>\n").unwrap_err();
        let faults: Vec<_> = error.faults().collect();
        assert_eq!(
            faults[0].to_string(),
            "config/templates/test.template.conf:2: `<clinet>` stands for nothing"
        );
        assert_eq!(faults[0].hint.as_deref(), Some("did you mean `<client>`?"));
        assert!(faults[1].hint.as_ref().unwrap().contains("<gevent_port>"));
    }
}
