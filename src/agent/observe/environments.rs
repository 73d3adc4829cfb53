//! What the server has of Python environments.

use std::fs;

use crate::{
    agent::{server::Server, with_causes},
    layout::{Layout, environment_is_complete},
    plan::EnvironmentFacts,
    wire::ObserveRequest,
};

/// Asks the interpreter for its version and lists what was built.
pub(super) fn facts(
    server: &Server,
    request: &ObserveRequest,
    layout: &Layout,
) -> EnvironmentFacts {
    let ask = "import sys; print(sys.implementation.cache_tag, sys.version.split()[0])";
    let mut command = server.command(&request.service.python);
    let said = server.run(command.args(["-I", "-S", "-c", ask]));
    let directory = layout.environments();
    let entries = fs::read_dir(server.path(&directory)).into_iter().flatten().flatten();
    let all = entries.map(|entry| directory.join(entry.file_name()));
    EnvironmentFacts {
        python_version: said.map(|text| text.trim().to_owned()).map_err(|e| with_causes(&e)),
        built: all.filter(|path| server.path(&environment_is_complete(path)).exists()).collect(),
    }
}
