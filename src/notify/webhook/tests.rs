use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
};

use std::error::Error as _;

use super::*;

/// A path such as Slack's, whose last part is the key.
const PATH: &str = "/services/T0000000/B1111111/kEyKeYkEyKeY";

pub(in crate::notify) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server on loopback that gives one answer per connection; an empty one is a connection
/// closed without an answer.
pub(in crate::notify) struct Server {
    pub(in crate::notify) url: Secret,
    pub(in crate::notify) requests: mpsc::Receiver<String>,
}

impl Server {
    pub(in crate::notify) fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Secret::new(format!("http://{}{PATH}", listener.local_addr().unwrap()));
        let answers = answers.iter().map(|&answer| answer.to_owned()).collect::<Vec<_>>();
        let (heard, requests) = mpsc::channel();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                heard.send(request(&stream)).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, requests }
    }

    /// Returns how many requests came, once the client is done.
    pub(in crate::notify) fn count(self) -> usize {
        self.requests.try_iter().count()
    }
}

fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "the request ends in its head");
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn post(url: &Secret) -> Result<(), NotifyError> {
    let patience = Patience {
        connect: Duration::from_millis(500),
        all: Duration::from_secs(5),
        pause: Duration::from_millis(10),
    };
    post_with(url, Redactor::default(), patience)
}

fn post_with(url: &Secret, redactor: Redactor, patience: Patience) -> Result<(), NotifyError> {
    let headers = vec![("X-Test", "1".to_owned())];
    let post = Post { body: "{\"text\":\"live\"}".to_owned(), headers };
    Webhook::new(redactor, patience).post(url, &post)
}

/// Everything an error can show.
fn shown(error: &NotifyError) -> String {
    let source = error.source().map(|source| format!("{source} {source:?}"));
    format!("{error} {error:?} {}", source.unwrap_or_default())
}

fn assert_hides_the_url(error: &NotifyError) {
    for part in ["services", "T0000000", "B1111111", "kEyKeY"] {
        assert!(!shown(error).contains(part), "`{part}` shows in {}", shown(error));
    }
}

#[test]
fn a_body_is_posted_as_json_with_its_headers() {
    let server = Server::answering(&[OK]);
    post(&server.url).unwrap();
    let request = server.requests.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("POST {PATH} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("\r\ncontent-type: application/json"), "{head}");
    assert!(head.to_lowercase().contains("\r\nx-test: 1"), "{head}");
    assert_eq!(body, "{\"text\":\"live\"}");
}

#[test]
fn a_passing_failure_is_tried_once_more() {
    for first in ["HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", ""] {
        let server = Server::answering(&[first, OK]);
        post(&server.url).unwrap();
        assert_eq!(server.count(), 2, "{first:?}");
    }
}

#[test]
fn a_second_failure_is_the_last() {
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    let server = Server::answering(&[busy, busy, OK]);
    let error = post(&server.url).unwrap_err();
    assert_eq!(error.to_string(), "the webhook at http://127.0.0.1 answered 503: busy");
    assert_eq!(server.count(), 2);
}

#[test]
fn a_refusal_is_not_tried_again_and_quotes_no_secret() {
    let body = format!("no_service {PATH} kEyKeYkEyKeY hunter2 \x1b[31m{}", "x".repeat(5000));
    let answer = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let server = Server::answering(&[&answer, OK]);
    let mut redactor = Redactor::default();
    redactor.add(&Secret::new("hunter2"));
    let error = post_with(&server.url, redactor, Patience::default()).unwrap_err();
    assert_hides_the_url(&error);
    let NotifyError::Rejected { status: 404, body, .. } = error else { panic!("{error}") };
    assert!(body.starts_with("no_service ******** ******** ******** [31mxxx"), "{body}");
    assert_eq!(body.chars().count(), 200);
    assert_eq!(server.count(), 1);
}

#[test]
fn a_service_that_is_asked_too_much_is_given_the_time_it_asks_for() {
    let body = "{\"parameters\":{\"retry_after\":1}}";
    let telegram = format!("HTTP/1.1 429 No\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let slack = "HTTP/1.1 429 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    for first in [slack, &telegram] {
        let server = Server::answering(&[first, OK]);
        let start = Instant::now();
        post(&server.url).unwrap();
        assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(server.count(), 2);
    }
}

#[test]
fn a_service_that_asks_for_more_time_than_there_is_is_given_up() {
    for wait in ["600", "1e300", "-1", "Fri, 27 Nov 2026 07:28:00 GMT"] {
        let busy = format!("HTTP/1.1 429 No\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n");
        let server = Server::answering(&[&busy, &busy]);
        let start = Instant::now();
        let error = post(&server.url).unwrap_err();
        assert_eq!(error.to_string(), "the webhook at http://127.0.0.1 answered 429");
        assert!(start.elapsed() < Duration::from_secs(2), "{wait}: {:?}", start.elapsed());
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let away = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let server = Server::answering(&[away]);
    let error = post(&server.url).unwrap_err();
    assert_eq!(error.to_string(), "the webhook at http://127.0.0.1 answered 302");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Secret::new(format!("http://{}{PATH}", listener.local_addr().unwrap()));
    let patience = Patience { all: Duration::from_millis(300), ..Patience::default() };
    let start = Instant::now();
    let error = post_with(&url, Redactor::default(), patience).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(error.to_string(), "no answer from the webhook at http://127.0.0.1");
    assert_eq!(error.source().unwrap().to_string(), "it took too long");
    assert_hides_the_url(&error);
}

#[test]
fn an_answer_that_trickles_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Secret::new(format!("http://{}{PATH}", listener.local_addr().unwrap()));
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 9999\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let patience = Patience { all: Duration::from_millis(400), ..Patience::default() };
    let start = Instant::now();
    let error = post_with(&url, Redactor::default(), patience).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(matches!(error, NotifyError::Rejected { status: 404, .. }), "{error}");
}

#[test]
fn a_closed_port_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Secret::new(format!("http://{}{PATH}", listener.local_addr().unwrap()));
    drop(listener);
    let error = post(&url).unwrap_err();
    assert_eq!(error.to_string(), "no answer from the webhook at http://127.0.0.1");
    assert_hides_the_url(&error);
}

#[test]
fn a_login_in_the_url_does_not_show() {
    let url = Secret::new(format!("http://user:hunter2@127.0.0.1:1{PATH}"));
    let error = post(&url).unwrap_err();
    assert_hides_the_url(&error);
    assert!(!shown(&error).contains("hunter2"), "{}", shown(&error));
}

#[test]
fn only_a_web_address_is_posted_to() {
    let odd =
        ["", "kEyKeY", "/services/x", "ftp://h/kEyKeY", "file:///kEyKeY", "https://", "https:// h"];
    for url in odd {
        let error = post(&Secret::new(url)).unwrap_err();
        assert!(matches!(error, NotifyError::Address), "{url}: {error}");
        assert_eq!(shown(&error), "the webhook is no http or https URL Address ");
    }
}

/// A log that is read back.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_most_talkative_log_lacks_the_url() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("ureq=trace,ureq_proto=trace")
        .with_writer(move || writer.clone())
        .init();
    let logged = || String::from_utf8_lossy(&log.0.lock().unwrap()).contains("kEyKeYkEyKeY");
    post(&Server::answering(&[OK]).url).unwrap();
    assert!(!logged());
    let unguarded = Server::answering(&[OK]);
    ureq::post(unguarded.url.expose()).send("").unwrap();
    assert!(logged(), "the log would have shown it");
}
