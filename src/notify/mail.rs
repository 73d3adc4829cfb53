//! Sends a message as mail. Does I/O.

use std::{error::Error as StdError, io, thread, time::Instant};

use lettre::{
    Message as Letter, SmtpTransport, Transport as _,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use tracing::subscriber::{NoSubscriber, with_default};

use super::{Message, NotifyError, Patience, words::cleaned};
use crate::{
    causes::with_causes,
    secret::{Redactor, Secret},
    settings::{MailSecurity, MailServer},
};

/// How much of an error is shown, in characters.
const SHOWN: usize = 300;

/// Sends a message. Tries once more where that may help and time is left.
pub(super) fn send(
    server: &MailServer,
    login: Option<(&str, &Secret)>,
    message: &Message,
    patience: Patience,
) -> Result<(), NotifyError> {
    let letter = letter(server, message).map_err(NotifyError::Letter)?;
    let refused = |error: Error| NotifyError::Mail {
        target: format!("{}:{}", server.server, server.port),
        source: Box::new(error),
    };
    // The library that checks certificates logs what is in the error, too.
    with_default(NoSubscriber::new(), || send_twice(server, login, &letter, patience))
        .map_err(refused)
}

fn send_twice(
    server: &MailServer,
    login: Option<(&str, &Secret)>,
    letter: &Letter,
    patience: Patience,
) -> Result<(), Error> {
    let begun = Instant::now();
    let transport = transport(server, login, patience)?;
    match transport.send(letter) {
        Err(error) if is_passing(&error) && begun.elapsed() + patience.pause < patience.all => {
            thread::sleep(patience.pause);
            transport.send(letter)
        }
        sent => sent,
    }
    .map(drop)
}

/// Puts a cleaned line in place of a cause: a server says what it likes.
pub(super) fn redacted(error: NotifyError, redactor: &Redactor) -> NotifyError {
    let clean = |text: String| cleaned(&text, SHOWN, redactor).into();
    match error {
        NotifyError::Letter(source) => NotifyError::Letter(clean(with_causes(source.as_ref()))),
        NotifyError::Mail { target, source } => {
            let told = if took_too_long(source.as_ref()) {
                "it took too long".to_owned()
            } else {
                with_causes(source.as_ref())
            };
            NotifyError::Mail { target, source: clean(told) }
        }
        other => other,
    }
}

/// Tells whether nothing came in time, which a socket says as if it were busy.
fn took_too_long(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Tells whether another attempt may fare better: not where the server said no for good,
/// and not without encryption.
fn is_passing(error: &Error) -> bool {
    !(error.is_permanent() || error.is_client() || error.is_tls())
}

/// Writes the mail. The title is a header: the library encodes what is not ASCII, and a
/// line break has no way in, for the title is one line.
fn letter(
    server: &MailServer,
    message: &Message,
) -> Result<Letter, Box<dyn StdError + Send + Sync>> {
    let mailbox = |address: &str| address.parse().map(|address| Mailbox::new(None, address));
    let mut builder = Letter::builder()
        .from(mailbox(&server.from)?)
        .subject(&message.title)
        .message_id(Some(message_id(server, message)))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .header(ContentType::TEXT_PLAIN);
    for one in &server.to {
        builder = builder.to(mailbox(one)?);
    }
    Ok(builder.body(format!("{}\n", message.text))?)
}

/// Names the mail; a second attempt has the same name, so that it is seen to be one.
fn message_id(server: &MailServer, message: &Message) -> String {
    let hash = blake3::hash(message.text.as_bytes()).to_hex();
    let domain = server.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("<{}.{}@{domain}>", message.time, &hash[..16])
}

fn transport(
    server: &MailServer,
    login: Option<(&str, &Secret)>,
    patience: Patience,
) -> Result<SmtpTransport, Error> {
    let parameters = || TlsParameters::builder(server.server.clone()).build();
    let tls = match server.tls {
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::None => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(server.server.clone())
        .port(server.port)
        .tls(tls)
        .timeout(Some(patience.connect));
    if let Some((user, password)) = login {
        let password = password.expose().to_owned();
        builder = builder.credentials(Credentials::new(user.to_owned(), password));
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Duration};

    use super::*;
    use crate::notify::{Ending, message::tests::message};

    fn server(port: u16, tls: MailSecurity) -> MailServer {
        MailServer {
            server: "127.0.0.1".to_owned(),
            port,
            tls,
            login: None,
            from: "deploy@taller.example".to_owned(),
            to: vec!["ana@taller.example".to_owned()],
        }
    }

    /// Returns what is said of a failure to send with little patience.
    fn failure(server: &MailServer) -> String {
        let patience = Patience {
            connect: Duration::from_millis(200),
            all: Duration::from_secs(1),
            pause: Duration::from_millis(10),
        };
        let error = send(server, None, &message(Ending::Deployed), patience).unwrap_err();
        with_causes(&redacted(error, &Redactor::default()))
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let begun = Instant::now();
        let said = failure(&server(port, MailSecurity::None));
        let expected = format!(
            "the mail server at 127.0.0.1:{port} did not take the message: it took too long"
        );
        assert_eq!(said, expected);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_closed_port_is_said() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        assert!(failure(&server(port, MailSecurity::StartTls)).contains("refused"));
    }

    #[test]
    fn a_second_attempt_is_the_same_mail() {
        let (server, message) = (server(25, MailSecurity::None), message(Ending::Deployed));
        let one = message_id(&server, &message);
        assert_eq!(one, message_id(&server, &message));
        assert!(one.starts_with("<1795343960.") && one.ends_with("@taller.example>"), "{one}");
    }
}
