//! A name server that takes dynamic updates (RFC 2136), signed by TSIG (RFC 8945). Does I/O.
//!
//! A change of a name is one message: the server checks that everything is as it was seen,
//! mark included, and then changes all of it or nothing.

mod update;

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Mutex,
};

use data_encoding::BASE64;
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType, TSigner,
        rdata::tsig::{TsigAlgorithm as Algorithm, TsigError},
    },
};
use jiff::Timestamp;

use super::{
    Address, Change, Data, DnsError, Found, FoundRecord, Mark, Owner, Provider,
    client::{Connection, absolute},
    error::senseless,
};
use crate::{host::HostName, secret::Secret, settings::TsigAlgorithm};

/// How far two clocks may be apart, in seconds (RFC 8945 recommends it).
const FUDGE: u16 = 300;

/// The label below which a name's mark is.
const MARK: &str = "_odoo-deploy";
/// The label below which a host's further names are listed.
const NAMES: &str = "_odoo-deploy-names";
/// What an entry of that list begins with.
const ENTRY: &str = "name=";

/// The primary server of a zone.
pub(super) struct NameServer {
    zone: HostName,
    server: String,
    signer: TSigner,
    connection: Mutex<Option<Connection>>,
}

/// A name as the server answers for it.
struct Seen {
    found: Found,
    mark: Option<Mark>,
}

impl NameServer {
    /// Takes the key; nothing is asked yet.
    pub(super) fn new(
        zone: HostName,
        server: &str,
        key_name: &HostName,
        algorithm: TsigAlgorithm,
        secret: &Secret,
    ) -> Result<Self, DnsError> {
        let bad = |what: &str| DnsError::Setting {
            message: format!("the key `{key_name}` of zone {zone} {what}"),
            hint: "write its secret as the name server's `key` statement has it".to_owned(),
        };
        let key = BASE64
            .decode(secret.expose().as_bytes())
            .map_err(|_| bad("has a secret that is no base64"))?;
        let algorithm = match algorithm {
            TsigAlgorithm::HmacSha256 => Algorithm::HmacSha256,
            TsigAlgorithm::HmacSha384 => Algorithm::HmacSha384,
            TsigAlgorithm::HmacSha512 => Algorithm::HmacSha512,
        };
        let name = absolute(key_name.as_str()).map_err(|_| bad("has a name that is none"))?;
        let signer = TSigner::new(key, algorithm, name, FUDGE)
            .map_err(|_| bad("signs in a way that is not supported"))?;
        let connection = Mutex::new(None);
        Ok(Self { server: server.to_owned(), signer, connection, zone })
    }

    fn provider(&self) -> String {
        format!("name server {}", self.server)
    }

    fn no_answer(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DnsError {
        DnsError::NoAnswer {
            zone: self.zone.clone(),
            provider: self.provider(),
            source: source.into(),
        }
    }

    fn name(&self, text: &str) -> Result<Name, DnsError> {
        absolute(text).map_err(|error| self.no_answer(error))
    }

    /// Sends a message on the connection, which is opened where there is none.
    fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, DnsError> {
        let mut connection = self.connection.lock().expect("no holder of this lock panics");
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open(&self.server).map_err(|error| self.no_answer(error))?,
        };
        let answer = open.exchange(message).map_err(|error| self.no_answer(error))?;
        *connection = Some(open);
        Ok(answer)
    }

    /// Forgets the connection: a name server ends one that was idle, and an update that got
    /// no answer cannot be sent again.
    fn hang_up(&self) {
        *self.connection.lock().expect("no holder of this lock panics") = None;
    }

    /// Asks for the records of a name.
    fn query(&self, name: &Name, kind: RecordType) -> Result<Message, DnsError> {
        let mut question = Message::query();
        question.metadata.recursion_desired = false;
        question.add_query(Query::query(name.clone(), kind));
        let bytes = question.to_vec().map_err(|error| self.no_answer(error))?;
        let answer = self.exchange(&bytes)?;
        let answer = Message::from_vec(&answer).map_err(|error| self.no_answer(error))?;
        if answer.metadata.id != question.metadata.id {
            return Err(self.no_answer(senseless("it answers something else")));
        }
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
            ResponseCode::Refused | ResponseCode::NotAuth => Err(self.no_zone()),
            code => Err(self.rejected(&format!("answer for {name}"), &code.to_string())),
        }
    }

    fn no_zone(&self) -> DnsError {
        DnsError::NoZone { zone: self.zone.clone(), provider: self.provider() }
    }

    fn rejected(&self, what: &str, said: &str) -> DnsError {
        DnsError::Rejected {
            zone: self.zone.clone(),
            provider: self.provider(),
            what: what.to_owned(),
            said: said.to_owned(),
        }
    }

    fn texts(&self, name: &Name) -> Result<Vec<String>, DnsError> {
        let answer = self.query(name, RecordType::TXT)?;
        let text = |record: &Record| match &record.data {
            RData::TXT(text) if record.name == *name => {
                Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
            }
            _ => None,
        };
        Ok(answer.answers.iter().filter_map(text).collect())
    }

    /// Returns the name of a mark.
    fn mark_name(&self, name: &HostName) -> Result<Name, DnsError> {
        self.name(&format!("{MARK}.{name}"))
    }

    /// Returns the name under which a host's further names of the zone are listed: beside
    /// the host, else at the top of the zone.
    fn names_name(&self, host: &HostName) -> Result<Name, DnsError> {
        let zone = self.zone.as_str();
        let rest = host.as_str().strip_suffix(zone);
        match rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.')) {
            true => self.name(&format!("{NAMES}.{host}")),
            false => {
                let hash = blake3::hash(host.as_str().as_bytes()).to_hex();
                self.name(&format!("{NAMES}-{}.{zone}", &hash[..16]))
            }
        }
    }

    fn see(&self, name: &HostName) -> Result<Seen, DnsError> {
        let mark = self.texts(&self.mark_name(name)?)?;
        let mark = mark.iter().find_map(|text| Mark::parse(text));
        let full = self.name(name.as_str())?;
        let mut records = Vec::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            let answer = self.query(&full, kind)?;
            if !answer.metadata.authoritative && answer.answers.is_empty() {
                records.push(self.delegation(&answer)?);
            }
            let of_name = answer.answers.iter().filter(|record| record.name == full);
            records.extend(of_name.filter_map(data));
        }
        records.dedup();
        let own = mark.clone().map_or(Owner::Stranger, Owner::Host);
        let mut records: Vec<_> = records
            .into_iter()
            .map(|data| match data {
                Data::Address(_) => FoundRecord { data, owner: own.clone() },
                data => FoundRecord { data, owner: Owner::Stranger },
            })
            .collect();
        if mark.is_none() && !records.is_empty() && !self.exists(&full)? {
            // A wildcard answers for the name: nothing of it is there.
            records.clear();
        }
        let found = Found { zone: self.zone.clone(), name: name.clone(), records };
        Ok(Seen { found, mark })
    }

    /// Reads a referral to other servers.
    fn delegation(&self, answer: &Message) -> Result<Data, DnsError> {
        let top = self.name(self.zone.as_str())?;
        let server = |record: &Record| match &record.data {
            RData::NS(server) if record.name != top => Some(Data::NameServer(shown(&server.0))),
            _ => None,
        };
        answer.authorities.iter().find_map(server).ok_or_else(|| self.no_zone())
    }

    /// Asks whether a name has records of its own, by an update that only has this condition.
    fn exists(&self, name: &Name) -> Result<bool, DnsError> {
        let message = update::name_exists(&self.name(self.zone.as_str())?, name);
        match self.send(message)? {
            ResponseCode::NoError => Ok(true),
            ResponseCode::NXDomain => Ok(false),
            code => Err(self.rejected("say what is there", &code.to_string())),
        }
    }

    /// Signs and sends an update; returns what the server, whose signature is checked, says.
    #[expect(clippy::disallowed_methods, reason = "a signature holds the time at which it is made")]
    fn send(&self, mut message: Message) -> Result<ResponseCode, DnsError> {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let verifier =
            message.finalize(&self.signer, now).map_err(|error| self.no_answer(error))?;
        let bytes = message.to_vec().map_err(|error| self.no_answer(error))?;
        let bytes = self.exchange(&bytes)?;
        let answer = Message::from_vec(&bytes).map_err(|error| self.no_answer(error))?;
        let code = answer.metadata.response_code;
        if code == ResponseCode::NotAuth {
            let error = answer.signature().and_then(|signature| signature.data.error);
            return Err(error.map_or_else(|| self.no_zone(), |error| self.bad_key(error)));
        }
        if code == ResponseCode::Refused {
            return Err(self.may_not());
        }
        let mut verifier =
            verifier.ok_or_else(|| self.no_answer(senseless("nothing is signed")))?;
        verifier.verify(&bytes).map_err(|error| self.no_answer(error))?;
        Ok(code)
    }

    fn bad_key(&self, error: TsigError) -> DnsError {
        let (said, hint) = match error {
            TsigError::BadKey => (
                "it knows no such key",
                "correct `key_name` and `algorithm` of the zone, or add the key to the name server",
            ),
            TsigError::BadTime => (
                "its clock shows another time",
                "set the clock of this machine or of the name server",
            ),
            _ => ("its secret is another one", "correct the value of the zone's `secret`"),
        };
        self.credentials(said, hint)
    }

    fn may_not(&self) -> DnsError {
        let hint = "allow it to write A, AAAA and TXT records: `allow-update` or `update-policy`";
        self.credentials("it may not update the zone", hint)
    }

    fn credentials(&self, said: &str, hint: &'static str) -> DnsError {
        DnsError::Credentials {
            zone: self.zone.clone(),
            provider: self.provider(),
            what: format!("key `{}`", shown(self.signer.signer_name())),
            said: said.to_owned(),
            hint,
        }
    }
}

impl Provider for NameServer {
    fn look(&self, host: &HostName, names: &[HostName]) -> Result<Vec<Found>, DnsError> {
        self.hang_up();
        let mut all: Vec<HostName> = names.to_vec();
        let own = Mark::of(host);
        for text in self.texts(&self.names_name(host)?)? {
            let name = text.strip_prefix(ENTRY).and_then(|name| HostName::parse(name).ok());
            all.extend(name.filter(|name| !names.contains(name)));
        }
        let mut found = Vec::new();
        for name in all {
            let Seen { found: one, mark } = self.see(&name)?;
            if names.contains(&name) || mark.as_ref() == Some(&own) {
                found.push(one);
            }
        }
        Ok(found)
    }

    fn change(&self, host: &HostName, change: &Change) -> Result<(), DnsError> {
        self.hang_up();
        let seen = self.see(&change.name)?;
        let own = Mark::of(host);
        let is_ours = seen.mark.as_ref().is_none_or(|mark| *mark == own)
            && seen.found.foreign(host).next().is_none();
        if !is_ours || seen.found.addresses() != change.before {
            return Err(DnsError::Overtaken { name: change.name.clone() });
        }
        let entry = (change.name != *host).then(|| self.names_name(host)).transpose()?;
        let update = update::Update {
            zone: self.name(self.zone.as_str())?,
            name: self.name(change.name.as_str())?,
            mark_name: self.mark_name(&change.name)?,
            mark: own.text(),
            is_marked: seen.mark.is_some(),
            entry: entry.map(|names| (names, format!("{ENTRY}{}", change.name))),
            change,
        };
        match self.send(update.message())? {
            ResponseCode::NoError => Ok(()),
            ResponseCode::YXDomain
            | ResponseCode::YXRRSet
            | ResponseCode::NXRRSet
            | ResponseCode::NXDomain => Err(DnsError::Overtaken { name: change.name.clone() }),
            code => Err(self.rejected(&format!("change {}", change.name), &code.to_string())),
        }
    }

    fn authorities(&self) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> =
            self.server.to_socket_addrs().into_iter().flatten().take(1).collect();
        let peer = self.connection.lock().expect("no holder of this lock panics");
        if let Some(peer) = peer.as_ref().and_then(|connection| connection.peer().ok()) {
            all = vec![peer];
        }
        drop(peer);
        self.hang_up();
        let Ok(top) = self.name(self.zone.as_str()) else { return all };
        let Ok(answer) = self.query(&top, RecordType::NS) else { return all };
        for record in &answer.answers {
            let RData::NS(server) = &record.data else { continue };
            let at = (shown(&server.0), 53).to_socket_addrs();
            all.extend(at.into_iter().flatten().next().filter(|at| !all.contains(at)));
        }
        all
    }
}

/// Reads a record of an answer; none where it is of no interest.
fn data(record: &Record) -> Option<Data> {
    let address = |ip| Data::Address(Address { ip, proxied: false, ttl: record.ttl });
    Some(match &record.data {
        RData::A(a) => address(a.0.into()),
        RData::AAAA(a) => address(a.0.into()),
        RData::CNAME(target) => Data::OtherName(shown(&target.0)),
        _ => return None,
    })
}

fn shown(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}
