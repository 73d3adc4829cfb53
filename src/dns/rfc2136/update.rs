//! The message that changes a name. Pure.

use std::net::IpAddr;

use hickory_proto::{
    op::{Message, OpCode, Query, UpdateMessage as _},
    rr::{
        DNSClass, Name, RData, Record, RecordType,
        rdata::{A, AAAA, TXT},
    },
};

use crate::dns::{Address, Change};

/// How many bytes one string of a TXT record holds.
const LONGEST_STRING: usize = 255;

/// A change, with all that the message needs.
pub(super) struct Update<'a> {
    pub(super) zone: Name,
    pub(super) name: Name,
    pub(super) mark_name: Name,
    /// The host's mark.
    pub(super) mark: String,
    /// Whether the name has the mark already.
    pub(super) is_marked: bool,
    /// Where the name is listed, and how; none for the host's own.
    pub(super) entry: Option<(Name, String)>,
    pub(super) change: &'a Change,
}

impl Update<'_> {
    /// Says what has to be there still, and what becomes of it.
    pub(super) fn message(&self) -> Message {
        let mut message = begin(&self.zone);
        self.conditions(&mut message);
        for kind in [RecordType::A, RecordType::AAAA] {
            message.add_update(whole(&self.name, kind, DNSClass::ANY));
        }
        let ttl = self.change.after.first().map_or(0, |address| address.ttl);
        if self.change.removes() {
            message.add_update(whole(&self.mark_name, RecordType::TXT, DNSClass::ANY));
        } else if !self.is_marked {
            message.add_update(self.mark_record(ttl));
        }
        for address in &self.change.after {
            message.add_update(Record::from_rdata(self.name.clone(), address.ttl, data(address)));
        }
        if let Some((list, entry)) = &self.entry {
            let mut entry = Record::from_rdata(list.clone(), ttl, text(entry));
            if self.change.removes() {
                entry.ttl = 0;
                entry.dns_class = DNSClass::NONE;
            }
            message.add_update(entry);
        }
        message
    }

    fn conditions(&self, message: &mut Message) {
        // Value for value what was seen, or nothing where nothing was.
        for (kind, is_kind) in [
            (RecordType::A, IpAddr::is_ipv4 as fn(&IpAddr) -> bool),
            (RecordType::AAAA, IpAddr::is_ipv6),
        ] {
            let before = self.change.before.iter().filter(|address| is_kind(&address.ip));
            let records = before.map(|one| Record::from_rdata(self.name.clone(), 0, data(one)));
            let records: Vec<_> = records.collect();
            if records.is_empty() {
                message.add_pre_requisite(whole(&self.name, kind, DNSClass::NONE));
            }
            message.add_pre_requisites(records);
        }
        message.add_pre_requisite(whole(&self.name, RecordType::CNAME, DNSClass::NONE));
        message.add_pre_requisite(match self.is_marked {
            true => self.mark_record(0),
            false => whole(&self.mark_name, RecordType::TXT, DNSClass::NONE),
        });
    }

    fn mark_record(&self, ttl: u32) -> Record {
        Record::from_rdata(self.mark_name.clone(), ttl, text(&self.mark))
    }
}

/// Asks, and changes nothing: answered by "no such name" where a name has no records.
pub(super) fn name_exists(zone: &Name, name: &Name) -> Message {
    let mut message = begin(zone);
    message.add_pre_requisite(whole(name, RecordType::ANY, DNSClass::ANY));
    message
}

fn begin(zone: &Name) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(zone.clone(), RecordType::SOA));
    message
}

/// Stands for all records of a type: ANY has them there or removes them, NONE has none.
fn whole(name: &Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = class;
    record
}

fn data(address: &Address) -> RData {
    match address.ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}

fn text(text: &str) -> RData {
    RData::TXT(TXT::from_bytes(text.as_bytes().chunks(LONGEST_STRING).collect()))
}
