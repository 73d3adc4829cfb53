//! Certificates that the tool obtains: what is wanted, what is there, and whether it fits.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{desired::Desired, observed::Observed, obstacle::Obstacle, step::Step};
use crate::{host::HostName, secret::Secret};

/// How long a certificate from certbot has to be valid yet to be used as it is, in seconds.
/// Certbot renews a month before its end by itself; this is for one it failed to renew.
const ACME_REST: i64 = 24 * 60 * 60;

/// The same for a certificate from Cloudflare, which nobody renews: it is valid for 15 years.
const ORIGIN_REST: i64 = 30 * 24 * 60 * 60;

/// From how many seconds before its end on a certificate is warned of: certbot should have
/// renewed it two weeks before that.
pub const LATE: i64 = 14 * 24 * 60 * 60;

/// The certificate that a host is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCertificate {
    /// The names it has to have, the host's first.
    pub names: Vec<HostName>,
    /// Who issues it.
    pub issuer: Issuer,
}

/// Who issues a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// An authority that speaks ACME; certbot talks to it.
    Acme(AcmeIssuer),
    /// Cloudflare's authority for servers behind it.
    CloudflareOrigin(OriginIssuer),
}

/// An authority that speaks ACME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeIssuer {
    /// Whom it writes to.
    pub email: String,
    /// The URL of its directory.
    pub directory: String,
    /// The root that the directory's own certificate comes from, as PEM; none for a public one.
    pub root: Option<String>,
    /// The vhost by which every name answers challenges, beside what is there.
    pub challenge_vhost: String,
    /// The vhosts of release 0 that it goes on with, in their place.
    pub aside: Vec<PathBuf>,
}

/// Cloudflare's API, as the controller reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginIssuer {
    /// Where the API is, without a slash at the end.
    pub endpoint: String,
    /// What gives the right to it: it never reaches a server.
    pub token: Secret,
}

/// What of certificates is on a server for one host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Whether certbot is there.
    pub has_certbot: bool,
    /// What certbot obtained under the host's name.
    pub acme: Option<IssuedCertificate>,
    /// What Cloudflare issued.
    pub origin: Option<IssuedCertificate>,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// Its names.
    pub names: BTreeSet<String>,
    /// The last second of its validity, since the epoch.
    pub until: i64,
    /// The directory of the authority that it is renewed by; none where nobody renews it.
    pub directory: Option<String>,
}

/// Has an authority certify names, by certbot. All that is needed is said here: certbot is
/// not asked whether it thinks so, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObtainCertificate {
    /// The names, the host's first; that one names the certificate, too.
    pub names: Vec<HostName>,
    /// Whom the authority writes to.
    pub email: String,
    /// The URL of its directory.
    pub directory: String,
    /// The root that the directory's own certificate comes from, as PEM.
    pub root: Option<String>,
}

/// Puts a certificate in place whose key waits on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallCertificate {
    /// Its names, the host's first.
    pub names: Vec<HostName>,
    /// Itself, as PEM; none until Cloudflare has issued it, which is when the plan was agreed to.
    pub certificate: Option<String>,
}

/// A certificate that a plan obtains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificatePlan {
    /// Its names.
    pub names: Vec<HostName>,
    /// Who issues it: the URL of a directory, or `Cloudflare`.
    pub from: String,
    /// Why one is needed.
    pub because: String,
}

impl WantedCertificate {
    /// Says why what is there does not do; none where it does.
    fn lacks(&self, facts: &CertificateFacts, now: i64) -> Option<String> {
        let (issued, rest, directory) = match &self.issuer {
            Issuer::Acme(acme) => (&facts.acme, ACME_REST, Some(&acme.directory)),
            Issuer::CloudflareOrigin(_) => (&facts.origin, ORIGIN_REST, None),
        };
        let Some(issued) = issued else { return Some("there is none".to_owned()) };
        let wanted: BTreeSet<_> = self.names.iter().map(|name| name.as_str()).collect();
        let has: BTreeSet<_> = issued.names.iter().map(String::as_str).collect();
        let list = |names: Vec<&&str>| {
            names.into_iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().join(", ")
        };
        let missing: Vec<_> = wanted.difference(&has).collect();
        if !missing.is_empty() {
            return Some(format!("the present one is not for {}", list(missing)));
        }
        // A name that is not answered any more would fail every renewal.
        let surplus: Vec<_> = has.difference(&wanted).collect();
        if !surplus.is_empty() && directory.is_some() {
            return Some(format!("the present one is for {} as well", list(surplus)));
        }
        if issued.until < now {
            return Some("the present one has expired".to_owned());
        }
        if issued.until < now + rest {
            return Some("the present one is about to expire".to_owned());
        }
        match (directory, &issued.directory) {
            (Some(_), None) => Some("the present one is not renewed by certbot".to_owned()),
            (Some(wanted), Some(has)) if wanted != has => {
                Some(format!("the present one is from {has}"))
            }
            _ => None,
        }
    }

    fn from(&self) -> String {
        match &self.issuer {
            Issuer::Acme(acme) => acme.directory.clone(),
            Issuer::CloudflareOrigin(_) => "Cloudflare".to_owned(),
        }
    }
}

/// Writes the title of a step about names.
pub(super) fn title(what: &str, names: &[HostName]) -> String {
    let names: Vec<_> = names.iter().map(HostName::as_str).collect();
    format!("{what} for {}", names.join(", "))
}

/// Tells which certificate has to be obtained; none where none is wanted, or what is there fits.
pub(super) fn needed(desired: &Desired, observed: &Observed) -> Option<CertificatePlan> {
    let wanted = desired.certificate.as_ref()?;
    let because = wanted.lacks(&observed.host.certificates, observed.server.time)?;
    Some(CertificatePlan { names: wanted.names.clone(), from: wanted.from(), because })
}

/// Returns the steps by which it is obtained. They come before anything that users notice:
/// nothing of a deploy is slower, or less certain.
pub(super) fn steps(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let (Some(wanted), Some(_)) = (&desired.certificate, needed(desired, observed)) else {
        return Vec::new();
    };
    match &wanted.issuer {
        Issuer::Acme(acme) => vec![
            Step::ServeChallenges {
                vhost: acme.challenge_vhost.clone(),
                names: wanted.names.clone(),
                aside: acme.aside.clone(),
            },
            Step::ObtainCertificate(Box::new(ObtainCertificate {
                names: wanted.names.clone(),
                email: acme.email.clone(),
                directory: acme.directory.clone(),
                root: acme.root.clone(),
            })),
        ],
        Issuer::CloudflareOrigin(_) => {
            let names = wanted.names.clone();
            let step = InstallCertificate { names, certificate: None };
            vec![Step::InstallCertificate(Box::new(step))]
        }
    }
}

/// Finds what keeps a certificate from being obtained.
pub(super) fn obstacles(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    let Some(WantedCertificate { issuer: Issuer::Acme(_), .. }) = &desired.certificate else {
        return;
    };
    if !observed.host.certificates.has_certbot && needed(desired, observed).is_some() {
        found.push(Obstacle::new("certbot is not installed on the server").hint(
            "`deploy server setup` installs it, as does `apt install certbot`; \
             or choose another `tls` in `[deploy.nginx]`",
        ));
    }
}

/// Says of a certificate that nobody renewed in time, and that this plan does not replace.
pub(super) fn warning(desired: &Desired, observed: &Observed) -> Option<String> {
    let wanted = desired.certificate.as_ref()?;
    let Issuer::Acme(_) = &wanted.issuer else { return None };
    let issued = observed.host.certificates.acme.as_ref()?;
    let left = issued.until - observed.server.time;
    let is_late = left < LATE && needed(desired, observed).is_none();
    is_late.then(|| {
        format!(
            "the certificate is valid for {} more days only: certbot on the server does not renew it \
             (`systemctl status certbot.timer certbot.service` there says why)",
            left / (24 * 60 * 60)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Switch, sample::Sample};

    const DIRECTORY: &str = "https://acme.example/directory";
    const DAY: i64 = 24 * 60 * 60;

    fn issued(names: &[&str], days: i64, now: i64) -> IssuedCertificate {
        IssuedCertificate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            until: now + days * DAY,
            directory: Some(DIRECTORY.to_owned()),
        }
    }

    /// A host that has what it wants.
    fn sample() -> Sample {
        let mut sample = Sample::matching();
        let host = sample.desired.host.clone();
        sample.desired.certificate = Some(WantedCertificate {
            names: vec![host.clone()],
            issuer: Issuer::Acme(AcmeIssuer {
                email: "ops@example.com".into(),
                directory: DIRECTORY.into(),
                root: None,
                challenge_vhost: "challenges".into(),
                aside: Vec::new(),
            }),
        });
        sample.observed.host.certificates = CertificateFacts {
            has_certbot: true,
            acme: Some(issued(&[host.as_str()], 60, sample.observed.server.time)),
            origin: None,
        };
        sample
    }

    fn titles(steps: &[Step]) -> Vec<String> {
        steps.iter().map(Step::title).collect()
    }

    #[test]
    fn a_certificate_that_fits_is_left_alone() {
        let plan = sample().plan();
        assert_eq!((plan.switch, plan.certificate, plan.warnings), (Switch::Nothing, None, vec![]));
    }

    #[test]
    fn what_does_not_fit_is_said_and_replaced() {
        let because = |change: &dyn Fn(&mut IssuedCertificate)| {
            let mut sample = sample();
            let facts = &mut sample.observed.host.certificates;
            change(facts.acme.as_mut().expect("there is one"));
            let plan = sample.plan();
            assert_eq!(plan.switch, Switch::Vhost);
            assert_eq!(plan.transaction.number, None);
            plan.certificate.expect("one is obtained").because
        };
        assert_eq!(
            because(&|one| {
                one.names.insert("www.acme.example.com".into());
            }),
            "the present one is for www.acme.example.com as well"
        );
        assert_eq!(
            because(&|one| one.names = ["www.acme.example.com".into()].into()),
            "the present one is not for acme.example.com"
        );
        assert_eq!(because(&|one| one.until -= 61 * DAY), "the present one has expired");
        assert_eq!(because(&|one| one.until -= 60 * DAY), "the present one is about to expire");
        assert_eq!(
            because(&|one| one.directory = Some("https://staging.example/d".into())),
            "the present one is from https://staging.example/d"
        );
        assert_eq!(
            because(&|one| one.directory = None),
            "the present one is not renewed by certbot"
        );
    }

    #[test]
    fn a_certificate_is_obtained_before_users_notice_anything_and_the_vhost_is_proven_after() {
        let mut sample = sample().with_upgrade_of("taller");
        sample.observed.host.certificates.acme = None;
        let plan = sample.plan();
        assert_eq!(plan.switch, Switch::Stop);
        let prepare = titles(&plan.transaction.prepare);
        let place = |title: &str| prepare.iter().position(|other| other == title);
        let obtained = place("obtain a certificate for acme.example.com");
        assert!(place("answer challenges for acme.example.com") < obtained, "{prepare:?}");
        assert!(obtained < place("wait for other upgrades on the server"), "{prepare:?}");
        let carried_out = titles(&plan.transaction.carry_out);
        assert!(
            carried_out.contains(&"install the vhost and reload nginx".to_owned()),
            "{carried_out:?}"
        );
    }

    #[test]
    fn a_new_vhost_is_tested_when_its_certificate_is_there() {
        let mut sample = sample();
        sample.observed.host.certificates.acme = None;
        sample.desired.files.vhost = Some("with TLS".into());
        sample.desired.compared.vhost = Some("with TLS".into());
        let prepare = titles(&sample.plan().transaction.prepare);
        assert_eq!(
            prepare,
            [
                "answer challenges for acme.example.com",
                "obtain a certificate for acme.example.com",
                "check the vhost"
            ]
        );
    }

    #[test]
    fn a_certificate_of_cloudflares_is_replaced_before_its_end_and_needs_no_certbot() {
        let mut sample = sample();
        let wanted = sample.desired.certificate.as_mut().expect("one is wanted");
        wanted.issuer = Issuer::CloudflareOrigin(OriginIssuer {
            endpoint: "https://api.example".into(),
            token: Secret::new("t0ken"),
        });
        let origin = IssuedCertificate {
            directory: None,
            ..issued(&["acme.example.com"], 31, sample.observed.server.time)
        };
        sample.observed.host.certificates =
            CertificateFacts { origin: Some(origin), ..CertificateFacts::default() };
        assert_eq!(sample.plan().switch, Switch::Nothing);
        let facts = &mut sample.observed.host.certificates;
        facts.origin.as_mut().expect("there is one").until -= 2 * DAY;
        let plan = sample.plan();
        assert_eq!(plan.certificate.expect("one is obtained").from, "Cloudflare");
        assert_eq!(
            titles(&plan.transaction.prepare),
            ["put the certificate in place for acme.example.com", "check the vhost"]
        );
    }

    #[test]
    fn without_certbot_nothing_is_begun() {
        let mut sample = sample();
        sample.observed.host.certificates = CertificateFacts::default();
        assert!(sample.refusal().starts_with("certbot is not installed on the server\n"));
    }

    #[test]
    fn a_certificate_that_nobody_renews_is_warned_of_in_time() {
        let mut sample = sample();
        let facts = &mut sample.observed.host.certificates;
        facts.acme.as_mut().expect("there is one").until -= 50 * DAY;
        let plan = sample.plan();
        assert_eq!(plan.switch, Switch::Nothing);
        assert!(plan.warnings[0].contains("valid for 10 more days only"), "{:?}", plan.warnings);
    }
}
