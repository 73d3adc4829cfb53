//! A plan in the making.

use super::{Prepared, notes, records};
use crate::{
    plan::{Desired, Observed, make_plan},
    secret::Redactor,
    transport::Agent,
    wire::FileInputs,
    workflow::{Project, WorkflowError, desire::Target},
};

/// How many commits a plan shows.
const SHOWN_COMMITS: usize = 20;

/// A wish that was compared with what is there.
pub(in crate::workflow) struct Compared {
    pub(in crate::workflow) desired: Desired,
    /// What the unit and the vhost are made of.
    pub(in crate::workflow) inputs: FileInputs,
    /// Knows every secret of the wish.
    pub(in crate::workflow) redactor: Redactor,
}

/// What a plan is made of.
pub(in crate::workflow) struct Draft {
    pub(in crate::workflow) target: Target,
    pub(in crate::workflow) observed: Observed,
    pub(in crate::workflow) compared: Compared,
}

impl Draft {
    /// Makes the plan; the agent is left where something stands in its way.
    pub(in crate::workflow) async fn plan(
        self,
        project: &Project,
        agent: Agent,
    ) -> Result<Prepared, WorkflowError> {
        let Self { target, observed, compared: Compared { desired, inputs, mut redactor } } = self;
        let plan = match make_plan(&desired, &observed) {
            Ok(plan) => plan,
            Err(obstacles) => {
                agent.close().await;
                return Err(WorkflowError::Obstacles(obstacles));
            }
        };
        let question = records::Question { target: &target, desired: &desired, plan: &plan };
        let records = match question.ask(project, &observed, &mut redactor).await {
            Ok(records) => records,
            Err(error) => {
                agent.close().await;
                return Err(error);
            }
        };
        let mut notes = notes::notes(&target, &observed);
        notes.extend_from_slice(records.notes());
        Ok(Prepared {
            log: target.cache.log(desired.live, desired.commit.id, SHOWN_COMMITS)?,
            environment: target.environment()?.clone(),
            settings: target.settings.clone(),
            notes,
            plan,
            records,
            issued: None,
            observed,
            desired,
            inputs,
            redactor,
            target,
            agent,
            is_code_underway: false,
        })
    }
}
