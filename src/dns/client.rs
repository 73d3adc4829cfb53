//! Talks with name servers and with the resolver of this machine. Does I/O.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket},
    time::Duration,
};

use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, RecordType},
};

use super::Address;
use crate::host::HostName;

/// How long a name server may take to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// How long a single packet may take there and back.
const PACKET: Duration = Duration::from_secs(2);

/// A connection to a name server.
pub(super) struct Connection(TcpStream);

impl Connection {
    /// Connects to the first address of a `host:port` that answers.
    pub(super) fn open(server: &str) -> io::Result<Self> {
        let mut last = None;
        for address in server.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(ANSWER))?;
                    stream.set_write_timeout(Some(ANSWER))?;
                    return Ok(Self(stream));
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
    }

    /// Returns who answers.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Sends a message and returns the answer's bytes.
    pub(super) fn exchange(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let length = u16::try_from(message.len()).map_err(too_long)?;
        self.0.write_all(&[&length.to_be_bytes(), message].concat())?;
        let mut length = [0; 2];
        self.0.read_exact(&mut length)?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// Returns the absolute name of a host.
pub(super) fn absolute(name: &str) -> Result<Name, hickory_proto::ProtoError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

/// Asks one name server, without recursion, whether a name leads to exactly these
/// addresses; a proxied one leads somewhere else, so any address will do. No addresses
/// ask whether the name leads nowhere.
///
/// # Errors
/// Fails where no answer comes.
pub fn answers(server: SocketAddr, name: &HostName, wanted: &[Address]) -> io::Result<bool> {
    let mut there = ask_for_addresses(server, name, RecordType::A)?;
    there.extend(ask_for_addresses(server, name, RecordType::AAAA)?);
    Ok(leads_there(there, wanted))
}

/// Tells whether the resolver of this machine leads a name to exactly these addresses;
/// it says nothing of proxied ones.
#[must_use]
pub fn answers_publicly(name: &HostName, wanted: &[Address]) -> bool {
    if wanted.iter().any(|address| address.proxied) {
        return false;
    }
    let resolved = (name.as_str(), 0).to_socket_addrs();
    resolved.is_ok_and(|all| leads_there(all.map(|at| at.ip()).collect(), wanted))
}

fn leads_there(mut there: Vec<IpAddr>, wanted: &[Address]) -> bool {
    if wanted.iter().any(|address| address.proxied) {
        return !there.is_empty();
    }
    let mut wanted: Vec<_> = wanted.iter().map(|address| address.ip).collect();
    for list in [&mut there, &mut wanted] {
        list.sort_unstable();
        list.dedup();
    }
    there == wanted
}

/// Asks by a single packet.
fn ask_for_addresses(
    server: SocketAddr,
    name: &HostName,
    kind: RecordType,
) -> io::Result<Vec<IpAddr>> {
    let senseless = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    let name = absolute(name.as_str()).map_err(senseless)?;
    let mut question = Message::query();
    question.metadata.recursion_desired = false;
    question.add_query(Query::query(name.clone(), kind));
    let local: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0))?;
    socket.set_read_timeout(Some(PACKET))?;
    socket.connect(server)?;
    socket.send(&question.to_vec().map_err(senseless)?)?;
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes)?;
    let answer = Message::from_vec(&bytes[..length])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    if answer.metadata.id != question.metadata.id {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer to something else"));
    }
    let address = |record: &hickory_proto::rr::Record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    };
    Ok(answer.answers.iter().filter_map(address).collect())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use hickory_proto::rr::{Record, rdata::A};

    use super::*;

    fn address(ip: &str, proxied: bool) -> Address {
        Address { ip: ip.parse().unwrap(), proxied, ttl: 300 }
    }

    #[test]
    fn a_proxied_name_leads_anywhere_and_another_exactly_there() {
        let there = |ips: &[&str], wanted: &[Address]| {
            leads_there(ips.iter().map(|ip| ip.parse().unwrap()).collect(), wanted)
        };
        let wanted = [address("203.0.113.5", false)];
        assert!(there(&["203.0.113.5", "203.0.113.5"], &wanted));
        assert!(!there(&["203.0.113.5", "203.0.113.6"], &wanted));
        assert!(!there(&[], &wanted));
        assert!(there(&[], &[]));
        assert!(there(&["104.16.1.1"], &[address("203.0.113.5", true)]));
        assert!(!there(&[], &[address("203.0.113.5", true)]));
    }

    #[test]
    fn a_name_server_is_asked_for_both_kinds_of_address() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let mut bytes = [0; 512];
                let (length, from) = socket.recv_from(&mut bytes).unwrap();
                let mut message = Message::from_vec(&bytes[..length]).unwrap().into_response();
                let question = message.queries[0].clone();
                kinds.push(question.query_type());
                if question.query_type() == RecordType::A {
                    let data = RData::A(A::new(203, 0, 113, 5));
                    message.add_answer(Record::from_rdata(question.name().clone(), 60, data));
                }
                socket.send_to(&message.to_vec().unwrap(), from).unwrap();
            }
            kinds
        });
        let name = HostName::parse("h.example").unwrap();
        assert!(answers(server, &name, &[address("203.0.113.5", false)]).unwrap());
        assert_eq!(serving.join().unwrap(), [RecordType::A, RecordType::AAAA]);
        assert!(answers(server, &name, &[]).is_err(), "nobody answers any more");
    }
}
