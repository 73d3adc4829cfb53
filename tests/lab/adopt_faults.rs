//! A take-over, and the way back from it, that is struck: the host ends on release 0 or on
//! the release of the tool, whole, and nobody starts two Odoos.

use std::process::Stdio;

use serde_json::Value;

use crate::{
    adopt::{Old, adopt, by_hand_on, is_new, is_old},
    faults::pause::{self, Process},
    lab::Disk,
    revert::VIEWS,
    world::{DATABASE, HOST, Run, World},
};

/// How a transaction is struck.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// Its process is killed.
    Kill,
    /// The server loses its power, and boots.
    Cut,
}

/// Where a transaction is struck.
enum Moment {
    /// When the step is about to be done.
    Before(&'static str),
    /// When it is done.
    After(&'static str),
    /// At the commit point.
    Committed,
}

impl Moment {
    fn is(&self, entry: &Value) -> bool {
        let is = |kind: &str, step: &str| entry["entry"] == kind && entry["step"] == step;
        match self {
            Self::Before(step) => is("before", step),
            Self::After(step) => is("after", step),
            Self::Committed => entry["entry"] == "commit",
        }
    }
}

/// Runs a command, and strikes its transaction.
fn strike(world: &World, arguments: &[&str], moment: &Moment, blow: Blow) -> Run {
    let server = world.server();
    pause::ask(server, Process::Transaction, 1);
    let mut command = world.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    pause::advance(server, &mut child, 1, |entries| {
        entries.last().is_some_and(|last| moment.is(last))
    })
    .expect("the transaction ended before it was struck");
    match blow {
        Blow::Kill => {
            let kill = "systemctl kill --kill-whom=main --signal=SIGKILL 'deploytx-*'";
            server.script(kill).ok();
            pause::forget(server);
        }
        Blow::Cut => {
            server.lab("cut", &[]).ok();
            pause::forget(server);
        }
    }
    let run = Run::of(&child.wait_with_output().unwrap());
    server.wait_until("the transaction is ended", |server| {
        pause::journal(server).last().is_some_and(|last| last["entry"] == "end")
    });
    server.wait_until_served();
    run
}

#[test]
fn a_take_over_that_is_struck_ends_on_one_of_its_two_states() {
    let world = by_hand_on("adopt-struck", Disk::Image);
    adopt(&world, &[]).expect_code(0);
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Adopt the host, and let the device be hidden");
    let server = world.server();
    let before = Old::look(server);
    let content = world.database_content(DATABASE);
    let deploy = ["--host", HOST];
    let back = ["rollback", "--host", HOST, "--to", "0", "--with-database", "--yes"];

    let run = strike(&world, &deploy, &Moment::Before("stop odoo.service"), Blow::Kill);
    run.expect_code(7).expect_said("back on release 0");
    is_old(&world, &before, &content);

    // The old service is stopped and disabled, the new one not started yet.
    strike(&world, &deploy, &Moment::After("stop odoo.service"), Blow::Cut);
    is_old(&world, &before, &content);

    strike(&world, &deploy, &Moment::Committed, Blow::Cut);
    let release = world.state().current.expect("a release is live");
    is_new(&world, release);

    // Both services are known, and the old one runs already.
    strike(&world, &back, &Moment::After("start odoo.service"), Blow::Cut);
    is_new(&world, release);

    strike(&world, &back, &Moment::Committed, Blow::Cut);
    is_old(&world, &before, &content);
}
