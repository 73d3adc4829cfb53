//! Looks at a host from outside, as its users do.

use std::{
    net::{IpAddr, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    agent::HttpClient,
    dns::Address,
    host::{Host, Tls},
    settings::{Server, Settings},
};

/// How long a host may take to answer from outside.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one request may take.
const ONE_REQUEST: Duration = Duration::from_secs(15);
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

    /// Begins to ask for the login page.
    pub(super) fn look(self) -> Looking {
        let Self { name, url, server, fresh } = self;
        let (tell, told) = oneshot::channel();
        let asked = url.clone();
        // A thread of its own: an operator who does not want to wait may leave it behind.
        thread::spawn(move || tell.send(ask(&name, &server, &fresh, asked)));
        Looking { url, told }
    }
}

/// A look that is under way.
#[derive(Debug)]
pub(super) struct Looking {
    url: String,
    told: oneshot::Receiver<Outside>,
}

impl Looking {
    /// Waits for what the host answers.
    pub(super) async fn answer(self) -> Outside {
        let url = self.url;
        self.told.await.unwrap_or_else(|_| Outside {
            url,
            problem: Some("it could not be asked".to_owned()),
            note: None,
        })
    }
}

fn ask(name: &str, server: &str, fresh: &[IpAddr], url: String) -> Outside {
    let resolved = resolve(name);
    // A new name may be unknown here, or lead to where it led before, for some minutes.
    let is_old = resolved.is_none_or(|address| !fresh.contains(&address));
    let (address, note) = match (resolved, resolve(server)) {
        _ if is_old && !fresh.is_empty() => {
            let note = format!(
                "{name} is in the DNS since just now and not seen from here yet; it was asked at {}",
                fresh[0]
            );
            (fresh[0], Some(note))
        }
        (Some(address), _) => (address, None),
        (None, Some(address)) => {
            let note = format!("{name} is not in the DNS yet; it was asked at {address}");
            (address, Some(note))
        }
        (None, None) => {
            let problem = Some(format!("{name} is not in the DNS"));
            return Outside { url, problem, note: None };
        }
    };
    let client = HttpClient::new(address, ONE_REQUEST);
    let begun = Instant::now();
    loop {
        let problem = match client.get(&url, &[]) {
            Ok(answer) if answer.status == 200 => None,
            Ok(answer) => Some(format!("it answered {}", answer.status)),
            Err(error) => Some(error.source.to_string()),
        };
        if problem.is_none() || begun.elapsed() > PATIENCE {
            return Outside { url, problem, note };
        }
        thread::sleep(INTERVAL);
    }
}

fn resolve(name: &str) -> Option<IpAddr> {
    let addresses: Vec<_> = (name, 0).to_socket_addrs().ok()?.map(|at| at.ip()).collect();
    addresses.iter().find(|at| at.is_ipv4()).or(addresses.first()).copied()
}
