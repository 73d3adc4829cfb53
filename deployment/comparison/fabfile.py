"""A deploy with Fabric, tuned: all servers at once, rsync for the code, and files are sent only
where their sums differ."""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fabric import Config, Connection, task

ROOT = "/srv/bench/fabric"
PLACES = {
    "odoo.conf": "/etc/odoo/fabric.conf",
    "odoo.service": "/etc/systemd/system/odoo-fabric.service",
    "vhost.conf": "/etc/nginx/sites-enabled/fabric.conf",
}
HEALTHY = (
    "timeout 60 sh -c 'until curl -fs -o /dev/null -H \"Host: fabric.example.com\""
    " http://127.0.0.1:8080/web/health; do sleep 0.1; done'"
)


@task
def deploy(_context):
    """Deploys to every server of SERVERS."""
    servers = os.environ["SERVERS"].split()
    with ThreadPoolExecutor(max_workers=len(servers)) as pool:
        list(pool.map(deploy_to, servers))


def deploy_to(name):
    """Brings code and configuration, restarts what they change, checks and records."""
    with Connection(name, config=Config(runtime_ssh_path=os.environ["SSH_CONFIG"])) as server:
        code = bring_code(server, name)
        changed = bring_configuration(server)
        if "odoo.service" in changed:
            server.run("sudo systemctl daemon-reload", hide=True)
        if code or changed & {"odoo.conf", "odoo.service"}:
            server.run("sudo systemctl restart odoo-fabric", hide=True)
        if "vhost.conf" in changed:
            server.run("sudo nginx -q -t && sudo systemctl reload nginx", hide=True)
        server.run(HEALTHY, hide=True)
        if code or changed:
            server.run(f"echo {os.environ['COMMIT']} >>{ROOT}/deployed.log", hide=True)


def bring_code(server, name):
    """Brings the code with rsync; tells whether anything changed."""
    ssh, source = os.environ["SSH_CONFIG"], os.environ["PLATFORM"]
    command = f"rsync -ai --delete -e 'ssh -F {ssh}' {source}/addons/ {name}:{ROOT}/code/"
    return bool(server.local(command, hide=True).stdout)


def bring_configuration(server):
    """Brings the files that differ and returns their names."""
    said = server.run(f"sha256sum {' '.join(PLACES.values())}", hide=True, warn=True).stdout
    sums = {path: digest for digest, path in map(str.split, said.splitlines())}
    changed = set()
    for name, place in PLACES.items():
        text = render(name)
        if sums.get(place) == hashlib.sha256(text.encode()).hexdigest():
            continue
        server.put(io.StringIO(text), f"{ROOT}/staged/{name}")
        server.run(f"sudo install -m 644 {ROOT}/staged/{name} {place}", hide=True)
        changed.add(name)
    return changed


def render(name):
    """Returns a file as this tool's servers are to have it."""
    text = (Path(__file__).parent / "templates" / f"{name}.j2").read_text()
    for word in ("tool", "port", "limit", "odoo_bin"):
        text = text.replace("{{ %s }}" % word, os.environ[word.upper()])
    return text
