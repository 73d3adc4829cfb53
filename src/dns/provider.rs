//! Who holds a zone. Does I/O.

use std::net::SocketAddr;

use super::{Change, DnsError, Found, cloudflare::Cloudflare, rfc2136::NameServer};
use crate::{
    host::HostName,
    secret::{Redactor, Secrets},
    settings::{DnsProvider, DnsZone},
};

/// Reads and changes the records of a zone.
pub trait Provider: Send + Sync {
    /// Looks at names of the zone, and at every other name of it that is marked as the host's.
    ///
    /// # Errors
    /// Fails where the provider cannot be asked.
    fn look(&self, host: &HostName, names: &[HostName]) -> Result<Vec<Found>, DnsError>;

    /// Makes a change whole or not at all; refuses where the records are not as the change
    /// says they were, or not the host's.
    ///
    /// # Errors
    /// Fails where it was not made, or where that is not known.
    fn change(&self, host: &HostName, change: &Change) -> Result<(), DnsError>;

    /// Returns the name servers that the world asks about the zone, as far as they are known.
    fn authorities(&self) -> Vec<SocketAddr>;
}

/// Opens a zone; the secrets that belong to it are added to the redactor.
///
/// # Errors
/// Fails where a secret has no value, or one that cannot be used.
pub fn open(
    zone: &HostName,
    settings: &DnsZone,
    secrets: &Secrets,
    redactor: &mut Redactor,
) -> Result<Box<dyn Provider>, DnsError> {
    let (DnsProvider::Cloudflare { token: written, .. }
    | DnsProvider::Rfc2136 { secret: written, .. }) = &settings.provider;
    let secret = secrets.resolve(written).map_err(|missing| DnsError::Setting {
        message: format!("zone {zone} cannot be looked at: {missing}"),
        hint: missing.hint().to_owned(),
    })?;
    if let Some(fault) = secret.fault() {
        return Err(DnsError::Setting {
            message: format!("the secret `{written}` of zone {zone} {fault}"),
            hint: "set it anew, without anything around it".to_owned(),
        });
    }
    redactor.add(&secret);
    Ok(match &settings.provider {
        DnsProvider::Cloudflare { endpoint, .. } => {
            Box::new(Cloudflare::new(zone.clone(), endpoint.clone(), secret))
        }
        DnsProvider::Rfc2136 { server, key_name, algorithm, .. } => {
            Box::new(NameServer::new(zone.clone(), server, key_name, *algorithm, &secret)?)
        }
    })
}
