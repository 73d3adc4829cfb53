//! Databases and their files: copies, the way back, what they have seen.

use std::collections::BTreeMap;

use super::StepError;
use crate::{
    agent::{
        filestore::Filestore,
        postgres::{Postgres, Swap, Swapped},
        transaction::Run,
        with_causes,
    },
    host::{DatabaseName, ModuleName},
    plan::{CopyName, Restore, SeenAddon, Snapshot},
};

/// Links a database's files aside while users still work: most are done
/// before the page goes up.
pub(super) fn copy_files(run: &mut Run<'_>, snapshot: &Snapshot) -> Result<(), StepError> {
    Ok(filestore(run)?.link_copy(snapshot.database.as_str(), &snapshot.copy)?)
}

/// Copies the database, with Odoo stopped, and completes the copy of its files.
pub(super) fn snapshot(run: &mut Run<'_>, snapshot: &Snapshot) -> Result<(), StepError> {
    let postgres = postgres(run)?;
    let taken = postgres.take_snapshot(&snapshot.database, &snapshot.copy)?;
    if taken.source_oid != snapshot.oid || taken.uuid != snapshot.uuid {
        return Err(StepError::found(format!(
            "database {} is another one than when the plan was made",
            snapshot.database
        ))
        .with_hint("deploy again: a new plan looks at the one that is there now"));
    }
    run.copies.insert(snapshot.copy.clone(), taken.oid);
    copy_files(run, snapshot)
}

/// Tells how an upgraded database gets back to its snapshot.
pub(super) fn swap(run: &Run<'_>, snapshot: &Snapshot) -> Result<Swap, StepError> {
    let oid = run.copies.get(&snapshot.copy).copied().ok_or_else(|| {
        StepError::found(format!("there is no snapshot of database {}", snapshot.database))
    })?;
    Ok(Swap {
        original: snapshot.database.clone(),
        original_oid: snapshot.oid,
        snapshot: snapshot.copy.clone(),
        snapshot_oid: oid,
        failed: snapshot.failed_name.clone(),
    })
}

/// Copies a kept snapshot and links its files, while users still work with the
/// database that will go back to it.
pub(super) fn copy_snapshot(run: &mut Run<'_>, restore: &Restore) -> Result<(), StepError> {
    let postgres = postgres(run)?;
    let oid = postgres.copy_snapshot(&restore.snapshot, restore.snapshot_oid, &restore.copy)?;
    run.copies.insert(restore.copy.clone(), oid);
    Ok(filestore(run)?.link_copy(restore.snapshot.as_str(), &restore.copy)?)
}

/// Puts the copy of a snapshot in the place of its database, files included.
/// The present one is kept as it is and lets nobody in.
pub(super) fn restore(run: &mut Run<'_>, restore: &Restore) -> Result<(), StepError> {
    postgres(run)?.swap_back(&forward(run, restore)?)?;
    Ok(filestore(run)?.swap_back(&restore.database, &restore.copy, &restore.kept)?)
}

/// Tells how a database that goes back gets to where it was: the same way, the
/// other way round. By the object ids that is right before and after.
pub(super) fn way_back_of_restore(run: &Run<'_>, restore: &Restore) -> Result<Swap, StepError> {
    Ok(forward(run, restore)?.reversed())
}

fn forward(run: &Run<'_>, restore: &Restore) -> Result<Swap, StepError> {
    let oid = run.copies.get(&restore.copy).copied().ok_or_else(|| {
        StepError::found(format!("there is no copy of snapshot {}", restore.snapshot))
    })?;
    Ok(Swap {
        original: restore.database.clone(),
        original_oid: restore.oid,
        snapshot: restore.copy.clone(),
        snapshot_oid: oid,
        failed: restore.kept.clone(),
    })
}

/// Gives the copy of a kept snapshot up: the snapshot itself is still there.
pub(in crate::agent) fn drop_copy(run: &mut Run<'_>, copy: &CopyName) -> Result<(), StepError> {
    let said = format!("database {copy}");
    run.kept.retain(|kept| *kept != said);
    let postgres = postgres(run)?;
    forget(run, &postgres, copy)
}

/// Puts the snapshot in the place of its database, files included. The failed
/// one is kept for a closer look and lets nobody in.
pub(in crate::agent) fn swap_back(run: &mut Run<'_>, swap: &Swap) -> Result<(), StepError> {
    let swapped = postgres(run)?.swap_back(swap)?;
    let filestore = filestore(run)?;
    // Files follow their database: where it was back before and no copy is left, they
    // are back, too, and what was moved aside may have been given up since.
    if swapped == Swapped::Now || filestore.has(swap.snapshot.as_str())? {
        filestore.swap_back(&swap.original, &swap.snapshot, &swap.failed)?;
    }
    if filestore.has(swap.failed.as_str())? {
        run.kept.push(format!("database {}", swap.failed));
    }
    Ok(())
}

/// Gives a snapshot up that was not needed, or not completed.
pub(in crate::agent) fn drop_snapshot(
    run: &mut Run<'_>,
    snapshot: &Snapshot,
) -> Result<(), StepError> {
    let postgres = postgres(run)?;
    // Odoo cannot start on a closed database; a copy that stays is only in the way.
    postgres.open(&snapshot.database)?;
    if let Err(error) = postgres.drop_copy(&snapshot.copy) {
        run.warn(format!("snapshot {} stays: {}", snapshot.copy, with_causes(&error)));
    }
    Ok(())
}

/// Removes a copy of files.
pub(in crate::agent) fn remove_files(run: &mut Run<'_>, copy: &CopyName) -> Result<(), StepError> {
    Ok(filestore(run)?.remove(copy)?)
}

/// Creates an empty database.
pub(super) fn create(run: &mut Run<'_>, database: &DatabaseName) -> Result<(), StepError> {
    let oid = postgres(run)?.create(database)?;
    run.created.insert(database.clone(), oid);
    Ok(())
}

/// Drops a database that the transaction created, with its files.
pub(in crate::agent) fn drop_created(
    run: &mut Run<'_>,
    database: &DatabaseName,
    oid: Option<u32>,
) -> Result<(), StepError> {
    let postgres = postgres_on_the_way_back(run)?;
    match oid.or_else(|| run.created.get(database).copied()) {
        Some(oid) => postgres.drop_created(database, oid)?,
        None => postgres.drop_empty(database)?,
    }
    if postgres.find(database)?.is_none() {
        filestore(run)?.remove_created(database)?;
    }
    Ok(())
}

/// Records in a database who deploys to it and what it has seen.
pub(super) fn record_seen(
    run: &mut Run<'_>,
    database: &DatabaseName,
    addons: &BTreeMap<ModuleName, SeenAddon>,
) -> Result<(), StepError> {
    Ok(postgres(run)?.record(database, &run.transaction.host, addons)?)
}

/// Opens the host's cluster; sessions are found by the transaction's id.
pub(in crate::agent) fn postgres(run: &Run<'_>) -> Result<Postgres, StepError> {
    let application = format!("odoo-deploy-{}", run.transaction.id);
    Ok(Postgres::new(run.server, &run.access, &application)?)
}

/// Opens the cluster on the way back, where the host's user or role may be gone already.
pub(in crate::agent) fn postgres_on_the_way_back(run: &Run<'_>) -> Result<Postgres, StepError> {
    let application = format!("odoo-deploy-{}", run.transaction.id);
    Ok(Postgres::for_the_way_back(run.server, &run.access, &application)?)
}

/// Waits until the files that Odoo wrote are on disk.
pub(super) fn sync_files(run: &Run<'_>) -> Result<(), StepError> {
    Ok(filestore(run)?.sync()?)
}

/// Opens the files of the host's databases.
fn filestore(run: &Run<'_>) -> Result<Filestore, StepError> {
    Ok(Filestore::open(run.server, &run.transaction.service.data_dir)?)
}

/// Removes a copy that policy no longer keeps.
pub(super) fn forget(run: &Run<'_>, postgres: &Postgres, copy: &CopyName) -> Result<(), StepError> {
    postgres.drop_copy(copy)?;
    Ok(filestore(run)?.remove(copy)?)
}
