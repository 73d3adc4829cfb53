//! Values that stay as they are live: what root does with them is not for a deploy key to
//! choose. Pure.

use serde::Serialize;
use serde_json::Value;

use super::Refusal;
use crate::plan::{DatabaseAccess, Service};

/// Checks how Odoo is run. Whether it has workers is the host's file's.
pub(super) fn service(asked: &Service, live: &Service) -> Result<(), Refusal> {
    let allowed = Service { has_workers: asked.has_workers, ..live.clone() };
    same("how Odoo is run", asked, &allowed)
}

/// Checks how the databases are reached. The password is the asker's own.
pub(super) fn access(asked: &DatabaseAccess, live: &DatabaseAccess) -> Result<(), Refusal> {
    let allowed = DatabaseAccess { password: asked.password.clone(), ..live.clone() };
    same("how the databases are reached", asked, &allowed)
}

/// Checks that two values are the same, and names the first part that is not.
pub(super) fn same<T: Serialize + PartialEq>(
    what: &str,
    asked: &T,
    allowed: &T,
) -> Result<(), Refusal> {
    if asked == allowed {
        return Ok(());
    }
    let values = [asked, allowed].map(|one| serde_json::to_value(one).expect("it is JSON"));
    Err(Refusal::needs_full_login(format!("{what} would change: {}", difference(&values))))
}

fn difference([asked, allowed]: &[Value; 2]) -> String {
    let (Value::Object(asked), Value::Object(allowed)) = (asked, allowed) else {
        return format!("from {allowed} to {asked}");
    };
    let differs = allowed.iter().find(|(key, value)| asked.get(*key) != Some(*value));
    let Some((key, value)) = differs else { return "something is new".to_owned() };
    let now = asked.get(key).unwrap_or(&Value::Null);
    if let (Value::Object(_), Value::Object(_)) = (now, value) {
        return difference(&[now.clone(), value.clone()]);
    }
    format!("`{key}` from {value} to {now}")
}
