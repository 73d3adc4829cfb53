//! Decides whether a host is well: it answers with its database, in the right
//! series, keeps running and complains of nothing.

mod asked;
mod failure;
mod page;
mod reload;
mod scan;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    thread,
    time::{Duration, Instant},
};

pub use failure::{HealthFailure, HealthProblem};
pub use reload::{ReloadReport, ReloadWatch, wait_for_reload};
pub use scan::Audience;

use super::{Answer, HttpClient, LogPosition, Server, Systemd, UnitState, both::both};
use crate::{
    host::{DatabaseName, HostName},
    odoo::Series,
};

/// What is asked of a host.
#[derive(Debug, Clone)]
pub struct HealthRequest<'a> {
    /// The service.
    pub unit: &'a str,
    /// The hostname its users call.
    pub host: &'a HostName,
    /// `http_interface`; empty is every interface.
    pub interface: &'a str,
    /// `http_port`
    pub http_port: u16,
    /// `gevent_port`, where there are workers.
    pub gevent_port: Option<u16>,
    /// The databases it serves.
    pub databases: &'a [DatabaseName],
    /// The series it must run.
    pub series: Series,
    /// The release it must run: the directory its `addons_path` lies in.
    pub release: Option<&'a Path>,
    /// Its log, from just before it was started or reloaded.
    pub log: &'a LogPosition,
    /// Who else reaches it while it is checked.
    pub audience: Audience,
    /// The longest it may take to answer.
    pub timeout: Duration,
    /// How long it must run on afterwards.
    pub settle: Duration,
    /// How long it must have run since it was started or reloaded.
    pub least_age: Duration,
}

/// A host that is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// The service's main process.
    pub main_pid: u32,
    /// How long it took to answer.
    pub answered_after: Duration,
    /// How many scripts and style sheets were fetched.
    pub assets: usize,
    /// Whether its log names the release; none where it logs too little to tell.
    pub release_logged: Option<bool>,
    /// Errors in its log that do not speak against it.
    pub warnings: Vec<String>,
}

const POLL: Duration = Duration::from_millis(250);
const FIRST_POLL: Duration = Duration::from_millis(20);
/// A page is followed through so many redirects on its own host: to the same URL
/// with a session, to a language's.
const REDIRECTS: usize = 4;

/// Waits until the host is well, or says why it is not.
///
/// # Errors
/// Fails with the first check that does, and what the log says about it.
pub fn check_health(
    server: &Server,
    request: &HealthRequest<'_>,
) -> Result<HealthReport, HealthFailure> {
    let checker = Checker {
        server,
        request,
        begun: Instant::now(),
        systemd: Systemd::new(server),
        address: address_of(request.interface),
    };
    checker.run().map_err(|problem| {
        let problem = checker.cause(problem);
        let log = request.log.since(server).unwrap_or_default();
        HealthFailure { problem, log: scan::matter(&log) }
    })
}

struct Checker<'a> {
    server: &'a Server,
    request: &'a HealthRequest<'a>,
    begun: Instant,
    systemd: Systemd<'a>,
    address: IpAddr,
}

impl Checker<'_> {
    fn run(&self) -> Result<HealthReport, HealthProblem> {
        let request = self.request;
        let first = self.systemd.state(request.unit)?;
        let health = self.url(request.http_port, "/web/health");
        self.wait_for(&health, &first)?;
        let answered_after = self.begun.elapsed();
        let mut assets = 0;
        for database in request.databases {
            assets += self.check_login(database)?;
        }
        self.check_series()?;
        if let Some(port) = request.gevent_port {
            self.wait_for(&self.url(port, "/websocket/health"), &first)?;
        }
        let (main_pid, log) = self.settle(&first)?;
        if let Some(line) = scan::failure(&log, request.audience) {
            return Err(HealthProblem::Logged { line });
        }
        let release_logged = request.release.and_then(|path| scan::release_logged(&log, path));
        if release_logged == Some(false) {
            let release = request.release.unwrap_or(Path::new("")).to_owned();
            return Err(HealthProblem::OtherRelease { release });
        }
        let warnings = scan::errors(&log);
        Ok(HealthReport { main_pid, answered_after, assets, release_logged, warnings })
    }

    /// A service that ended, or a worker that died over a request, is why it does not answer.
    fn cause(&self, problem: HealthProblem) -> HealthProblem {
        let unit = self.request.unit;
        let HealthProblem::NoAnswer { .. } = problem else { return problem };
        let Ok(state) = self.systemd.state(unit) else { return problem };
        if !state.is_running() {
            return HealthProblem::Ended { unit: unit.to_owned(), state: state.to_string() };
        }
        match self.check_workers(&state) {
            Err(died @ HealthProblem::WorkerDied { .. }) => died,
            _ => problem,
        }
    }

    /// Asks until an address answers well; a service that ends meanwhile is not
    /// waited for.
    fn wait_for(&self, url: &str, first: &UnitState) -> Result<(), HealthProblem> {
        let (header, good) = asked::health(self.request.series, self.request.databases);
        let mut headers = self.headers().to_vec();
        headers.extend(header);
        loop {
            let answer = self.client().get(url, &headers);
            if answer.as_ref().is_ok_and(|answer| good.contains(&answer.status)) {
                return Ok(());
            }
            self.check_running(first)?;
            let why = match answer {
                Ok(answer) => {
                    // A registry that did not load will not load by itself.
                    let log = self.request.log.since(self.server)?;
                    if let Some(line) = scan::failure(&log, self.request.audience) {
                        return Err(HealthProblem::Logged { line });
                    }
                    format!("status {}", answer.status)
                }
                Err(error) => error.source.to_string(),
            };
            if self.begun.elapsed() >= self.request.timeout {
                let waited = self.begun.elapsed().as_secs();
                return Err(HealthProblem::NoAnswer { url: url.to_owned(), waited, why });
            }
            // One that is nearly there is not kept waiting, one that takes long not asked
            // all the time.
            thread::sleep((self.begun.elapsed() / 5).clamp(FIRST_POLL, POLL));
        }
    }

    /// Fetches the login page as a user would see it, and all it needs.
    fn check_login(&self, database: &DatabaseName) -> Result<usize, HealthProblem> {
        let port = self.request.http_port;
        let asked = asked::login(self.request.series, database);
        let (url, mut more) = (self.url(port, &asked.path), asked.headers);
        let answer = self.fetch_page(&url, &mut more)?;
        let wrong = |why: &str| HealthProblem::WrongAnswer {
            url: url.clone(),
            status: answer.status,
            why: format!("{why} of `{database}`"),
        };
        if answer.status != 200 {
            return Err(wrong("this should be the login page"));
        }
        if !page::is_login_form(&answer.body) {
            return Err(wrong("there is no login form on the page"));
        }
        let assets = page::assets(&answer.body);
        for path in &assets {
            let url = self.url(port, path);
            let answer = self.get(&url, &more)?;
            if answer.status != 200 || answer.body.trim().is_empty() {
                let why = format!("the login page of `{database}` needs it");
                return Err(HealthProblem::WrongAnswer { url, status: answer.status, why });
            }
        }
        Ok(assets.len())
    }

    /// Fetches a page, through redirects on the host itself; cookies that it sets
    /// are added to the headers.
    fn fetch_page(
        &self,
        url: &str,
        more: &mut Vec<(&'static str, String)>,
    ) -> Result<Answer, HealthProblem> {
        let mut target = url.to_owned();
        for _ in 0..=REDIRECTS {
            let answer = self.get(&target, more)?;
            if let Some(cookie) = &answer.cookie
                && asked::keeps_session(self.request.series)
            {
                more.retain(|(name, _)| *name != "Cookie");
                more.push(("Cookie", cookie.clone()));
            }
            let Some(location) = answer.location.clone().filter(|_| answer.is_redirect()) else {
                return Ok(answer);
            };
            let Some(path) = page::own_path(&location, self.request.host) else {
                return Err(HealthProblem::Redirected { url: target, location });
            };
            target = self.url(self.request.http_port, &path);
        }
        Err(HealthProblem::Redirected { url: url.to_owned(), location: target })
    }

    fn check_series(&self) -> Result<(), HealthProblem> {
        let expected = self.request.series;
        let (path, json) = asked::version(expected);
        let url = self.url(self.request.http_port, path);
        let answer = match json {
            None => self.get(&url, &[])?,
            Some(json) => self
                .client()
                .post_json(&url, &self.headers(), json)
                .map_err(|error| self.unanswered(&url, &error))?,
        };
        let said = page::version(&answer.body).unwrap_or_default();
        if answer.status == 200 && said.starts_with(expected.as_str()) {
            return Ok(());
        }
        let why = format!("it says series `{said}`, {expected} was expected");
        Err(HealthProblem::WrongAnswer { url, status: answer.status, why })
    }

    /// Watches the service for a while: some die seconds after their first answer. Returns
    /// the main process and the log.
    fn settle(&self, first: &UnitState) -> Result<(u32, String), HealthProblem> {
        let young = self.request.least_age.saturating_sub(self.request.log.age());
        let end = Instant::now() + self.request.settle.max(young);
        while Instant::now() < end {
            self.check_running(first)?;
            thread::sleep(POLL.min(self.request.settle));
        }
        let (log, running) = both(|| self.check_workers(first), || self.check_running(first));
        Ok((running?, log?))
    }

    /// Workers that die are replaced, and the main process goes on: every one that said
    /// it lives has to be there, or to have said that it ends. Returns the log.
    fn check_workers(&self, first: &UnitState) -> Result<String, HealthProblem> {
        let log = self.request.log;
        let text = log.since(self.server)?;
        let alive = scan::workers_begun(&text);
        let now = self.systemd.processes(first)?;
        if alive.iter().all(|pid| now.contains(*pid)) {
            return Ok(text);
        }
        let text = log.since(self.server)?;
        let ended = scan::workers_ended(&text);
        let gone = alive.difference(&ended).find(|pid| !now.contains(**pid));
        match gone {
            None => Ok(text),
            Some(pid) => {
                Err(HealthProblem::WorkerDied { unit: self.request.unit.to_owned(), pid: *pid })
            }
        }
    }

    fn check_running(&self, first: &UnitState) -> Result<u32, HealthProblem> {
        let unit = self.request.unit;
        let state = self.systemd.state(unit)?;
        match state.main_pid.filter(|_| state.is_running()) {
            None => Err(HealthProblem::Ended { unit: unit.to_owned(), state: state.to_string() }),
            Some(pid) if first.main_pid != Some(pid) || first.restarts != state.restarts => {
                Err(HealthProblem::Restarted { unit: unit.to_owned() })
            }
            Some(pid) => Ok(pid),
        }
    }

    fn get(&self, url: &str, more: &[(&str, String)]) -> Result<Answer, HealthProblem> {
        let mut headers = self.headers().to_vec();
        headers.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
        self.client().get(url, &headers).map_err(|error| self.unanswered(url, &error))
    }

    fn unanswered(&self, url: &str, error: &super::HttpError) -> HealthProblem {
        HealthProblem::NoAnswer {
            url: url.to_owned(),
            waited: self.begun.elapsed().as_secs(),
            why: error.source.to_string(),
        }
    }

    /// Returns a client that waits as long as there is time left, a little at least.
    fn client(&self) -> HttpClient {
        let left = self.request.timeout.saturating_sub(self.begun.elapsed());
        HttpClient::new(self.address, left.max(Duration::from_secs(5)))
    }

    /// Returns the headers that nginx adds; Odoo trusts them in proxy mode.
    fn headers(&self) -> [(&'static str, &str); 4] {
        let host = self.request.host.as_str();
        [
            ("Host", host),
            ("X-Forwarded-Host", host),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-For", "127.0.0.1"),
        ]
    }

    fn url(&self, port: u16, path: &str) -> String {
        match self.address {
            IpAddr::V4(address) => format!("http://{address}:{port}{path}"),
            IpAddr::V6(address) => format!("http://[{address}]:{port}{path}"),
        }
    }
}

/// Returns where an interface is reached from the machine itself.
fn address_of(interface: &str) -> IpAddr {
    match interface.parse() {
        Ok(IpAddr::V6(address)) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        Ok(address) if !address.is_unspecified() => address,
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_for_all_is_reached_by_the_loopback() {
        assert_eq!(address_of("").to_string(), "127.0.0.1");
        assert_eq!(address_of("0.0.0.0").to_string(), "127.0.0.1");
        assert_eq!(address_of("::").to_string(), "::1");
        assert_eq!(address_of("10.1.2.3").to_string(), "10.1.2.3");
    }
}
