//! A server that must be the same after a deploy that was refused.

use crate::world::{DATABASE, HOST, HostState, Run, World};

/// What a server was before, and the commit that attempts start from.
pub(crate) struct Calm<'a> {
    world: &'a World,
    host: &'a str,
    commit: String,
    before: Look,
    content: String,
}

/// What can be seen of a server quickly.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    host: HostState,
    other: Option<HostState>,
    /// Unit, drop-in, vhosts and links, with checksums; leftovers of transactions.
    files: String,
}

/// Lists what a deploy could have changed or left.
const LOOK: &str = "
    cd /etc && find odoo nginx/sites-enabled systemd/system -type f -path '*odoo*' -o \
        -path '*sites-enabled/*' | sort | xargs -r md5sum
    find /etc/odoo /etc/systemd/system -type l -path '*odoo*' -printf '%p -> %l\\n' | sort
    ls -d /opt/odoo/*/releases/* /opt/odoo/*/current 2>/dev/null
    ls /var/lib/odoo; find /run/odoo-deploy -type f 2>/dev/null
    systemctl list-units --all --no-legend 'deploy*'
    true
";

impl<'a> Calm<'a> {
    /// Looks at the world's own host.
    pub(crate) fn of(world: &'a World) -> Self {
        Self::of_host(world, HOST)
    }

    /// Looks at a server on which another host is to be deployed.
    pub(crate) fn of_host(world: &'a World, host: &'a str) -> Self {
        Self {
            world,
            host,
            commit: world.git(&["rev-parse", "HEAD"]),
            before: Look::at(world, host),
            content: world.database_content(DATABASE),
        }
    }

    /// Commits a change, attempts to deploy it, and takes the commit back.
    #[track_caller]
    pub(crate) fn refuses(&self, change: impl FnOnce(&World), code: i32, says: &[&str]) -> Run {
        let world = self.world;
        change(world);
        world.commit("A change that is refused");
        let mut run =
            world.deploy(&["--host", self.host, "--branch", "demo", "--yes"]).expect_code(code);
        for text in says {
            run = run.expect_said(text);
        }
        assert_eq!(Look::at(world, self.host), self.before, "{}", run.stderr);
        world.git(&["reset", "-q", "--hard", &self.commit]);
        world.git(&["push", "-q", "--force", "origin", "HEAD"]);
        run
    }

    /// Asserts that the database holds what it held at first, and that the
    /// host can still be deployed.
    #[track_caller]
    pub(crate) fn ends(self) {
        assert_eq!(self.world.database_content(DATABASE), self.content);
        self.world.deploy(&["--branch", "demo"]).expect_code(0).expect_said("nothing to do");
    }
}

impl Look {
    fn at(world: &World, host: &str) -> Self {
        Self {
            host: world.state(),
            other: (host != HOST).then(|| world.state_of(host)),
            files: world.server().script(LOOK).ok(),
        }
    }
}
