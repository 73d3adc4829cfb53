//! Has Cloudflare issue the certificate of a plan that was agreed to. The token stays here,
//! and the key on the server.

use tokio::task::spawn_blocking;

use super::WorkflowError;
use crate::{
    causes::with_causes,
    cloudflare::{OriginAuthority, OriginError},
    plan::{Desired, Issuer, Obstacle, Outcome, Step, Transaction},
    transport::Agent,
    wire::{Reply, Request},
};

/// A certificate that was issued for a transaction.
#[derive(Debug)]
pub(super) struct Issued {
    authority: OriginAuthority,
    id: String,
}

/// Has the certificate issued that the transaction puts in place; none where it puts none.
pub(super) async fn issue(
    agent: &mut Agent,
    desired: &Desired,
    transaction: &mut Transaction,
) -> Result<Option<Issued>, WorkflowError> {
    let step = transaction.prepare.iter_mut().find_map(|step| match step {
        Step::InstallCertificate(step) => Some(step),
        _ => None,
    });
    let (Some(step), Some(Issuer::CloudflareOrigin(issuer))) =
        (step, desired.certificate.as_ref().map(|wanted| &wanted.issuer))
    else {
        return Ok(None);
    };
    let names = step.names.clone();
    let question = Request::MakeSigningRequest { host: desired.host.clone(), names: names.clone() };
    agent.send(&question).await?;
    let request = match agent.receive().await? {
        Reply::SigningRequest(request) => request,
        Reply::Fault(fault) => return Err(fault.into()),
        _ => return Err(WorkflowError::OutOfTurn),
    };
    let authority =
        OriginAuthority { endpoint: issuer.endpoint.clone(), token: issuer.token.clone() };
    let asked = authority.clone();
    let issued = spawn_blocking(move || asked.issue(&names, &request)).await;
    let issued = issued.expect("asking Cloudflare does not panic").map_err(refused)?;
    step.certificate = Some(issued.certificate);
    Ok(Some(Issued { authority, id: issued.id }))
}

fn refused(error: OriginError) -> WorkflowError {
    WorkflowError::Obstacles(vec![Obstacle {
        message: with_causes(&error),
        hint: Some(error.hint().to_owned()),
        details: Vec::new(),
    }])
}

impl Issued {
    /// Has the certificate revoked that came to nothing. What then still counts is nobody's
    /// trouble: its key is gone.
    pub(super) async fn settle(self, outcome: &Outcome) {
        let is_unused = matches!(
            outcome,
            Outcome::Locked { .. } | Outcome::Refused { .. } | Outcome::Reverted { .. }
        );
        if !is_unused {
            return;
        }
        self.revoke().await;
    }

    /// Has it revoked.
    pub(super) async fn revoke(self) {
        let Self { authority, id } = self;
        let revoked = spawn_blocking(move || authority.revoke(&id)).await;
        if let Ok(Err(error)) = revoked {
            tracing::warn!("the certificate that came to nothing stays: {}", with_causes(&error));
        }
    }
}
