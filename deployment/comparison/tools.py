"""The tools that are compared: how each is called, and where it puts what it deploys."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CURRENT = "/opt/odoo/{host}/current"


@dataclass
class Server:
    """A server as it is reached through the delay, and the host that `deploy` knows on it."""

    name: str
    host: str
    address: str
    port: int
    identity: str
    host_key: str
    behind: str


@dataclass
class Tool:
    """A tool, the command that deploys with it, and where on a server its results are."""

    name: str
    title: str
    port: int
    command: list

    def places(self, server):
        """Returns where its odoo.conf, unit, vhost and addons are."""
        if self.name == "deploy":
            current, name = CURRENT.format(host=server.host), server.host
            conf, code, vhost = f"{current}/odoo.conf", f"{current}/code/addons", name
        else:
            name, code = self.name, f"/srv/bench/{self.name}/code"
            conf, vhost = f"/etc/odoo/{name}.conf", f"{name}.conf"
        unit = f"/etc/systemd/system/odoo-{name}.service"
        return conf, unit, f"/etc/nginx/sites-enabled/{vhost}", code


TOOLS = [
    Tool("floor", "floor", 8101, [HERE / "floor"]),
    Tool("deploy", "`deploy`", 8100, ["deploy"]),
    Tool("rsync", "rsync and ssh", 8102, [HERE / "rsync-script"]),
    Tool("fabric", "Fabric", 8103, ["fab", "--search-root", HERE, "deploy"]),
    Tool(
        "pyinfra",
        "pyinfra",
        8104,
        ["pyinfra", "-y", "--parallel", "8", "pyinfra_inventory.py", "pyinfra_deploy.py"],
    ),
    Tool("ansible", "Ansible", 8105, ["ansible-playbook", HERE / "playbook.yml"]),
]


def command(tool, servers, deploy):
    """Returns the command that deploys to these servers, and the directory it is run in."""
    words = [str(word) for word in tool.command]
    if tool.name == "deploy" and len(servers) == 1:
        words = [deploy, "--host", servers[0].host, "--branch", "bench", "--yes"]
    elif tool.name == "deploy":
        words = [deploy, "--environment", "bench", "--yes", "--max-parallel", "8"]
    elif tool.name == "ansible":
        words += ["--inventory", "".join(f"{server.name}," for server in servers)]
    return words


def environment(tool, servers, repository, state):
    """Returns what a tool finds in its environment, besides what everybody does."""
    ssh = f"-F {state}/ssh_config"
    shared = "-o ControlMaster=auto -o ControlPersist=60s"
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TOOL": tool.name,
        "PORT": str(tool.port),
        "LIMIT": str(repository.limit),
        "COMMIT": repository.commit,
        "ODOO_BIN": repository.odoo_bin,
        "PLATFORM": str(repository.path),
        "SERVERS": " ".join(server.name for server in servers),
        "STATE": str(state),
        "SSH_CONFIG": f"{state}/ssh_config",
        "ODOO_DEPLOY_CACHE": f"{state}/cache",
        "ANSIBLE_CONFIG": str(HERE / "ansible.cfg"),
        "ANSIBLE_HOME": f"{state}/ansible",
        "ANSIBLE_SSH_ARGS": f"{ssh} {shared} -o ControlPath={control_path(state)}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def control_path(state):
    """Returns where Ansible's shared connections are."""
    return f"{state}/ansible/%h"
