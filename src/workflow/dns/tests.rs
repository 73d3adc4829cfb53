use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::*;
use crate::plan::Failure;

/// A zone in memory.
#[derive(Default)]
struct Memory {
    names: Mutex<BTreeMap<HostName, Vec<Address>>>,
    /// The name that cannot be changed.
    stuck: Option<HostName>,
}

impl Memory {
    fn shown(&self) -> Vec<String> {
        let names = self.names.lock().unwrap();
        let lines = names.iter().flat_map(|(name, addresses)| {
            addresses.iter().map(move |address| format!("{name} {}", address.ip))
        });
        lines.collect()
    }
}

impl Provider for Memory {
    fn look(&self, _: &HostName, _: &[HostName]) -> Result<Vec<Found>, DnsError> {
        Ok(Vec::new())
    }

    fn change(&self, _: &HostName, change: &Change) -> Result<(), DnsError> {
        let mut names = self.names.lock().unwrap();
        let there = names.get(&change.name).cloned().unwrap_or_default();
        if self.stuck.as_ref() == Some(&change.name) || there != change.before {
            return Err(DnsError::Overtaken { name: change.name.clone() });
        }
        names.insert(change.name.clone(), change.after.clone());
        Ok(())
    }

    fn authorities(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
}

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn address(ip: &str) -> Address {
    Address { ip: ip.parse().unwrap(), proxied: false, ttl: 300 }
}

/// A host that moves, gets an alias and loses another one.
fn records(stuck: Option<&str>) -> (Records, Arc<Memory>) {
    let [old, new] = ["203.0.113.4", "203.0.113.5"].map(|ip| vec![address(ip)]);
    let before = [(name("h.example"), old.clone()), (name("old.example"), old.clone())];
    let memory = Memory { names: Mutex::new(before.into()), stuck: stuck.map(name) };
    let memory = Arc::new(memory);
    let change = |text: &str, before: &[Address], after: &[Address]| Change {
        zone: name("example"),
        name: name(text),
        before: before.to_vec(),
        after: after.to_vec(),
    };
    let changes = vec![
        change("h.example", &old, &new),
        change("new.example", &[], &new),
        change("old.example", &old, &[]),
    ];
    let zone: Arc<dyn Provider> = Arc::<Memory>::clone(&memory);
    let records = Records {
        host: Some(name("h.example")),
        zones: Zones::from([(name("example"), zone)]),
        plan: DnsPlan { changes, notes: Vec::new() },
        written: Vec::new(),
        leads_to: new,
    };
    (records, memory)
}

const BEFORE: [&str; 2] = ["h.example 203.0.113.4", "old.example 203.0.113.4"];

fn failure() -> Failure {
    Failure { step: "check".to_owned(), message: "no".to_owned(), hint: None, details: Vec::new() }
}

#[tokio::test]
async fn what_a_deploy_needs_is_written_before_and_what_goes_stays_until_it_is_live() {
    let (mut records, memory) = records(None);
    records.write().await.unwrap();
    let written = ["h.example 203.0.113.5", "new.example 203.0.113.5", "old.example 203.0.113.4"];
    assert_eq!(memory.shown(), written);
    assert_eq!(records.fresh(), [address("203.0.113.5")]);
    assert_eq!(records.wait().await, Vec::<String>::new());
    let settled = records.settle(&Outcome::Deployed).await;
    assert_eq!((settled.changes.len(), settled.taken_back), (1, false));
    assert_eq!(memory.shown(), written[..2]);
}

#[tokio::test]
async fn what_was_written_is_taken_back_unless_the_host_is_neither_here_nor_there() {
    let outcomes = [
        Outcome::Refused { failure: failure() },
        Outcome::Reverted { failure: failure(), kept: Vec::new() },
        Outcome::Locked { holder: None },
    ];
    for outcome in outcomes {
        let (mut records, memory) = records(None);
        records.write().await.unwrap();
        let settled = records.settle(&outcome).await;
        assert!(settled.taken_back && settled.problems.is_empty(), "{settled:?}");
        assert_eq!(memory.shown(), BEFORE, "{outcome:?}");
    }
    let (mut records, memory) = records(None);
    records.write().await.unwrap();
    let (failure, revert) = (failure(), failure());
    let broken = Outcome::Broken { failure, revert, kept: Vec::new() };
    assert_eq!(records.settle(&broken).await, Settled::default());
    assert_eq!(memory.shown().len(), 3);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_takes_the_others_back() {
    let (mut records, memory) = records(Some("new.example"));
    let error = records.write().await.unwrap_err();
    let WorkflowError::Dns { left, .. } = &error else { panic!("{error}") };
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(memory.shown(), BEFORE);
    assert!(records.fresh().is_empty());
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_said_line_for_line() {
    let (mut records, memory) = records(None);
    records.write().await.unwrap();
    memory.names.lock().unwrap().insert(name("h.example"), vec![address("198.51.100.9")]);
    let settled = records.settle(&Outcome::Refused { failure: failure() }).await;
    assert_eq!(settled.changes.len(), 1);
    let said = &settled.problems[0];
    assert!(said.contains("- A h.example 203.0.113.5"), "{said}");
    assert!(said.contains("+ A h.example 203.0.113.4"), "{said}");
    assert_eq!(memory.shown()[0], "h.example 198.51.100.9");
}

fn host() -> Host {
    let text = "[options]\ndb_name = ab\naddons_path = x\n[deploy]\nenvironment = test\n\
                server = s\nodoo = 19.0\n[deploy.nginx]\n";
    let path = PathBuf::from("config/hosts/h.invalid.conf");
    let files = BTreeMap::from([(path, text.as_bytes().to_vec())]);
    Host::load(&files, &name("h.invalid")).unwrap()
}

async fn look(footing: Footing, secrets: &Secrets) -> Result<Records, WorkflowError> {
    let text = "[servers.s]\naddress = \"203.0.113.5\"\n[dns.invalid]\nprovider = \"rfc2136\"\n\
                server = \"127.0.0.1:9\"\nkey_name = \"k\"\nsecret = \"${K}\"\n";
    let settings = Settings::parse(text, Path::new("deploy.toml")).unwrap();
    Records::look(&host(), &settings, secrets, footing, &mut Redactor::default()).await
}

#[tokio::test]
async fn a_live_host_goes_on_without_its_provider_and_a_new_one_does_not() {
    let known = Secrets::from_environment([("K".to_owned(), "c2VjcmV0".to_owned())]);
    for (secrets, said) in [
        (&known, "no answer from name server 127.0.0.1:9"),
        (&Secrets::default(), "no value for `K`"),
    ] {
        for footing in [Footing::Unchanged, Footing::Live, Footing::WayBack] {
            let records = look(footing, secrets).await.unwrap();
            assert!(records.is_empty());
            assert!(records.notes()[0].contains(said), "{:?}", records.notes());
        }
        let error = look(Footing::New, secrets).await.err().unwrap();
        assert!(error.to_string().contains(said), "{error}");
    }
}
