//! A host's records in the DNS: what is wanted, what is there, what has to change.
//! Pure, but for `cloudflare/`, `rfc2136.rs` and `client.rs`, which do I/O. Blocks: an
//! asynchronous caller uses a thread for it.

mod client;
mod cloudflare;
mod error;
mod plan;
mod provider;
mod record;
mod rfc2136;
mod wanted;

pub use client::{answers, answers_publicly};
pub use error::DnsError;
pub use plan::{DnsPlan, make_dns_plan, make_dns_removal};
pub use provider::{Provider, open};
pub use record::{Address, Change, Data, Found, FoundRecord, Mark, Owner};
pub use wanted::{Wanted, wanted};
