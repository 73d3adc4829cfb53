//! Looks at a host from outside, as its users do.

use std::{
    net::{IpAddr, ToSocketAddrs},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    agent::{Answer, HttpClient},
    dns::Address,
    host::{Host, Tls},
    settings::{Server, Settings},
};

/// How long a host may take to answer from outside.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one request may take.
const ONE_REQUEST: Duration = Duration::from_secs(15);
/// How long a connection is kept on which nothing is asked: nginx ends it after 60 s.
const KEPT: Duration = Duration::from_secs(30);
/// How long to wait between two requests.
const INTERVAL: Duration = Duration::from_millis(500);

/// What a host answered from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// Where it was asked.
    pub url: String,
    /// Why it does not count as verified; none where it does.
    pub problem: Option<String>,
    /// What the operator should know all the same.
    pub note: Option<String>,
}

/// The public address of a host.
#[derive(Debug, Clone)]
pub(super) struct Public {
    name: String,
    url: String,
    /// The address of its server, where the host is not in the DNS yet.
    server: String,
    /// Where the name leads since just now; none where that was not changed.
    fresh: Vec<IpAddr>,
}

impl Public {
    /// Works the address out; none where the host has no vhost.
    pub(super) fn of(host: &Host, settings: &Settings) -> Option<Self> {
        let nginx = host.nginx.as_ref()?;
        let (scheme, port, usual) = match nginx.tls {
            Tls::None => ("http", nginx.port, 80),
            Tls::Files { .. } | Tls::LetsEncrypt | Tls::CloudflareOrigin => ("https", 443, 443),
        };
        let name = host.name.as_str().to_owned();
        let at = if port == usual { name.clone() } else { format!("{name}:{port}") };
        let server = match settings.servers.get(&host.server) {
            Some(Server::Ssh(server)) => server.address.clone(),
            Some(Server::Local) | None => "localhost".to_owned(),
        };
        let url = format!("{scheme}://{at}/web/login");
        Some(Self { name, url, server, fresh: Vec::new() })
    }

    /// Knows where the name leads since just now: resolvers may remember something else.
    pub(super) fn named_just_now(self, fresh: Vec<Address>) -> Self {
        Self { fresh: fresh.into_iter().map(|address| address.ip).collect(), ..self }
    }

    /// Tells whether the name is no news to the resolvers: one that is is asked for late.
    pub(super) const fn is_named_for_long(&self) -> bool {
        self.fresh.is_empty()
    }

    /// Connects to the host. It is asked for the login page once users are let in.
    pub(super) fn reach(self) -> Looking {
        let url = self.url.clone();
        let (tell, told) = oneshot::channel();
        let (let_in, waits) = mpsc::channel();
        let door = Door { waits: Mutex::new(waits), opened: OnceLock::new() };
        // A thread of its own: an operator who does not want to wait may leave it behind.
        thread::spawn(move || self.look(&Arc::new(door)).map(|outside| tell.send(outside)));
        Looking { url, told, let_in }
    }

    /// Looks at the host once users are let in; none where they are not.
    fn look(self, door: &Arc<Door>) -> Option<Outside> {
        let found = self.find();
        let first = found.as_ref().ok().map(|(address, _)| {
            // Half of the time is the way there, and that can be gone before.
            let door = Arc::clone(door);
            let is_open = move || door.opened_within(Some(KEPT)).is_some();
            HttpClient::behind_gate(*address, ONE_REQUEST, is_open).get(&self.url, &[])
        });
        let opened = door.opened_within(None)?;
        let here = first.and_then(Result::ok);
        Some(match found.or_else(|_| self.find()) {
            Ok((address, note)) => {
                let problem = ask(&self.url, address, here, opened);
                Outside { url: self.url, problem, note }
            }
            Err(problem) => Outside { url: self.url, problem: Some(problem), note: None },
        })
    }

    /// Finds the address, and what is to be known of it; or says why there is none.
    fn find(&self) -> Result<(IpAddr, Option<String>), String> {
        let Self { name, server, fresh, .. } = self;
        let resolved = resolve(name);
        // A new name may be unknown here, or lead to where it led before, for some minutes.
        let is_old = resolved.is_none_or(|address| !fresh.contains(&address));
        match (resolved, resolve(server)) {
            _ if is_old && !fresh.is_empty() => {
                let note = format!(
                    "{name} is in the DNS since just now and not seen from here yet; \
                     it was asked at {}",
                    fresh[0]
                );
                Ok((fresh[0], Some(note)))
            }
            (Some(address), _) => Ok((address, None)),
            (None, Some(address)) => {
                let note = format!("{name} is not in the DNS yet; it was asked at {address}");
                Ok((address, Some(note)))
            }
            (None, None) => Err(format!("{name} is not in the DNS")),
        }
    }
}

/// A look that is under way, or waits until users are let in.
#[derive(Debug)]
pub(super) struct Looking {
    url: String,
    told: oneshot::Receiver<Outside>,
    /// Tells since when users are let in; gone where nobody wants to know any more.
    let_in: Sender<Instant>,
}

impl Looking {
    /// Asks for the login page: users are let in.
    pub(super) fn ask(&self) {
        let _ = self.let_in.send(Instant::now());
    }

    /// Waits for what the host answers; it is asked now, where it was not before.
    pub(super) async fn answer(self) -> Outside {
        self.ask();
        let url = self.url;
        self.told.await.unwrap_or_else(|_| Outside {
            url,
            problem: Some("it could not be asked".to_owned()),
            note: None,
        })
    }
}

/// Where a look waits for users to be let in.
#[derive(Debug)]
struct Door {
    waits: Mutex<Receiver<Instant>>,
    opened: OnceLock<Instant>,
}

impl Door {
    /// Waits until users are let in, so long at most, and returns since when they are.
    fn opened_within(&self, at_most: Option<Duration>) -> Option<Instant> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if self.opened.get().is_none() {
            let since = match at_most {
                None => waits.recv().ok()?,
                Some(at_most) => waits.recv_timeout(at_most).ok()?,
            };
            let _ = self.opened.set(since);
        }
        self.opened.get().copied()
    }
}

/// Asks until the login page is there; returns why it is not. One answer may be here already.
fn ask(url: &str, address: IpAddr, mut here: Option<Answer>, begun: Instant) -> Option<String> {
    let client = HttpClient::new(address, ONE_REQUEST);
    loop {
        let answer = here.take().map_or_else(|| client.get(url, &[]), Ok);
        let problem = match answer {
            Ok(answer) if answer.status == 200 => return None,
            Ok(answer) => format!("it answered {}", answer.status),
            Err(error) => error.source.to_string(),
        };
        if begun.elapsed() > PATIENCE {
            return Some(problem);
        }
        thread::sleep(INTERVAL);
    }
}

fn resolve(name: &str) -> Option<IpAddr> {
    let addresses: Vec<_> = (name, 0).to_socket_addrs().ok()?.map(|at| at.ip()).collect();
    addresses.iter().find(|at| at.is_ipv4()).or(addresses.first()).copied()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn host() -> (TcpListener, Looking) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let public = Public {
            name: "127.0.0.1".to_owned(),
            url: format!("http://127.0.0.1:{port}/web/login"),
            server: "127.0.0.1".to_owned(),
            fresh: Vec::new(),
        };
        (listener, public.reach())
    }

    fn answer(mut connection: TcpStream) {
        let mut asked = [0; 14];
        connection.read_exact(&mut asked).unwrap();
        assert_eq!(asked, *b"GET /web/login");
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    }

    #[tokio::test]
    async fn a_host_is_connected_to_before_and_asked_once_users_are_let_in() {
        let (listener, looking) = host();
        let (connection, _) = listener.accept().unwrap();
        connection.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!((&connection).read(&mut [0]).is_err(), "nothing is asked yet");
        connection.set_read_timeout(None).unwrap();
        looking.ask();
        answer(connection);
        assert_eq!(looking.answer().await.problem, None);
    }

    #[tokio::test]
    async fn a_connection_that_ended_meanwhile_is_no_problem_of_the_host() {
        let (listener, looking) = host();
        drop(listener.accept().unwrap());
        let server = thread::spawn(move || answer(listener.accept().unwrap().0));
        assert_eq!(looking.answer().await.problem, None);
        server.join().unwrap();
    }

    #[test]
    fn a_host_that_never_lets_users_in_is_not_asked() {
        let (listener, looking) = host();
        let (mut connection, _) = listener.accept().unwrap();
        drop(looking);
        assert_eq!(connection.read(&mut [0]).unwrap(), 0);
    }
}
