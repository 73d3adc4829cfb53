//! Has a certificate issued that the plan puts in place.

use super::Prepared;
use crate::{
    plan::Step,
    workflow::{WorkflowError, origin},
};

impl Prepared {
    /// Has Cloudflare issue the certificate of the plan, where it has one.
    ///
    /// # Errors
    /// Fails where the server cannot make a key, or Cloudflare does not do it.
    pub async fn certify(&mut self) -> Result<(), WorkflowError> {
        let installs = |step: &Step| matches!(step, Step::InstallCertificate(_));
        if !self.plan.transaction.prepare.iter().any(installs) {
            return Ok(());
        }
        self.await_code().await?;
        let transaction = &mut self.plan.transaction;
        self.issued = origin::issue(&mut self.agent, &self.desired, transaction).await?;
        Ok(())
    }

    /// Has the certificate revoked that was issued in vain.
    pub async fn take_certificate_back(&mut self) {
        if let Some(issued) = self.issued.take() {
            issued.revoke().await;
        }
    }
}
