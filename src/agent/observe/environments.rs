//! What the server has of Python environments.

use std::{fs, path::Path};

use crate::{
    agent::{server::Server, with_causes},
    layout::{Layout, environment_is_complete},
    plan::EnvironmentFacts,
    wire::ObserveRequest,
};

/// Asks the interpreter for its version, where that is needed, and lists what was built.
pub(super) fn facts(
    server: &Server,
    request: &ObserveRequest,
    layout: &Layout,
) -> EnvironmentFacts {
    let python_version = match request.asks_python {
        true => version(server, &request.service.python),
        false => Err("it was not asked".to_owned()),
    };
    let directory = layout.environments();
    let entries = fs::read_dir(server.path(&directory)).into_iter().flatten().flatten();
    let all = entries.map(|entry| directory.join(entry.file_name()));
    EnvironmentFacts {
        python_version,
        built: all.filter(|path| server.path(&environment_is_complete(path)).exists()).collect(),
    }
}

fn version(server: &Server, python: &Path) -> Result<String, String> {
    let ask = "import sys; print(sys.implementation.cache_tag, sys.version.split()[0])";
    let said = server.run(server.command(python).args(["-I", "-S", "-c", ask]));
    said.map(|text| text.trim().to_owned()).map_err(|error| with_causes(&error))
}
