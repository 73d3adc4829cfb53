"""A deploy with pyinfra, tuned: all servers at once, and rsync, which always counts as a change,
only where the server's record names another commit."""

import os

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import files, server, systemd

ROOT = "/srv/bench/pyinfra"
COMMIT = os.environ["COMMIT"]

PLACES = {
    "odoo.conf": "/etc/odoo/pyinfra.conf",
    "odoo.service": "/etc/systemd/system/odoo-pyinfra.service",
    "vhost.conf": "/etc/nginx/sites-enabled/pyinfra.conf",
}
VALUES = {word: os.environ[word.upper()] for word in ("tool", "port", "limit", "odoo_bin")}
HEALTHY = (
    "timeout 60 sh -c 'until curl -fs -o /dev/null -H \"Host: pyinfra.example.com\""
    " http://127.0.0.1:8080/web/health; do sleep 0.1; done'"
)


def write(name):
    """Renders a configuration file to its place; returns what came of it."""
    return files.template(
        name=f"Write {name}",
        src=f"templates/{name}.j2",
        dest=PLACES[name],
        mode="644",
        _sudo=True,
        **VALUES,
    )


def deploy():
    """Brings code and configuration, restarts what they change, checks and records."""
    recorded = host.get_fact(Command, f"tail -n 1 {ROOT}/deployed.log 2>/dev/null || true")
    changes = []
    if (recorded or "").strip() != COMMIT:
        source = f"{os.environ['PLATFORM']}/addons/"
        code = files.rsync(
            name="Bring the code", src=source, dest=f"{ROOT}/code/", flags=["-a", "--delete"]
        )
        changes.append(code)
    conf, unit, vhost = write("odoo.conf"), write("odoo.service"), write("vhost.conf")
    changes += [conf, unit, vhost]
    systemd.service(
        name="Restart Odoo",
        service="odoo-pyinfra",
        restarted=True,
        daemon_reload=True,
        _sudo=True,
        _if=lambda: any(change.did_change() for change in changes if change is not vhost),
    )
    systemd.service(
        name="Reload nginx", service="nginx", reloaded=True, _sudo=True, _if=vhost.did_change
    )
    server.shell(name="Wait until Odoo is healthy", commands=[HEALTHY])
    server.shell(
        name="Record the commit",
        commands=[f"echo {COMMIT} >>{ROOT}/deployed.log"],
        _if=lambda: any(change.did_change() for change in changes),
    )


deploy()
