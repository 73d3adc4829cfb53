"""Makes the repository that is deployed: 6,000 files in 30 addons, none of which is installed."""

import hashlib
import subprocess
from pathlib import Path

ADDONS = 30
FILES_OF_ADDON = 200
CHANGED = 12
KINDS = {
    "models/model_{:03}.py": "from odoo import models\n\n\nclass Model{0}(models.AbstractModel):\n"
    "    _name = 'bench.{1}.{0}'\n    _description = 'Number {0} of {1}'\n\n"
    "    def answer(self):\n        return {2}\n",
    "views/view_{:03}.xml": "<odoo>\n    <template id='page_{0}'>\n        <p>{1} says {2}</p>\n"
    "    </template>\n</odoo>\n",
    "static/src/js/part_{:03}.js": "export const part{0} = '{1} says {2}';\n",
    "static/src/scss/part_{:03}.scss": ".o_{1}_{0} {{ order: {2}; }}\n",
}
BASE = """\
[options]
addons_path = addons
data_dir = /var/lib/odoo/deploy
db_name = bench
dbfilter = ^bench$
http_interface = 127.0.0.1
http_port = 8100
gevent_port = 8200
list_db = False
max_cron_threads = 0
proxy_mode = True
workers = 0
limit_time_cpu = 600
"""
HOST = """\
extends = ../base.conf

[options]
limit_time_real = {limit}

[deploy]
environment = bench
server = {server}
odoo = 19.0
odoo_bin = {odoo_bin}
health_settle = 0s
load_check = {load_check}

[deploy.nginx]
port = 8080
client_max_body_size = {limit}m
"""
SERVER = """
[servers.{name}]
address = "{address}"
port = {port}
user = "deploy"
identity = "{identity}"
host_key = "{host_key}"
"""


class Repository:
    """A working tree, and the bare repository it is pushed to."""

    def __init__(self, state, servers, odoo_bin, load_check):
        self.path = Path(state) / "platform"
        self.origin = Path(state) / "origin.git"
        self.servers, self.odoo_bin, self.load_check = servers, odoo_bin, load_check
        self.number = 0
        # One of the files that the last commit changed, below the addons.
        self.changed = None

    def make(self):
        """Writes the first commit."""
        run("git", "init", "--quiet", "--bare", self.origin)
        run("git", "init", "--quiet", "--initial-branch=bench", self.path)
        self.git("remote", "add", "origin", self.origin)
        self.git("config", "user.name", "bench")
        self.git("config", "user.email", "bench@localhost")
        self.git("config", "gc.auto", "0")
        for number in range(ADDONS):
            self.write_addon(number)
        self.write("config/base.conf", BASE)
        settings = '[environments.bench]\nbranch = "bench"\n'
        settings += "".join(SERVER.format(**vars(server)) for server in self.servers)
        self.write("config/deploy.toml", settings)
        self.change()

    def change(self):
        """Commits and pushes another version of 12 files and of all that makes the three
        configuration files differ."""
        self.number += 1
        for place in range(self.number * CHANGED, (self.number + 1) * CHANGED):
            index = place * 7 % (FILES_OF_ADDON - 2)
            self.changed = self.write_file(place % ADDONS, index, self.number)
        for server in self.servers:
            conf = HOST.format(
                limit=self.limit,
                server=server.name,
                odoo_bin=self.odoo_bin,
                load_check=self.load_check,
            )
            self.write(f"config/hosts/{server.host}.conf", conf)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change number {self.number}")
        self.git("push", "--quiet", "origin", "bench")

    @property
    def limit(self):
        """The number that is in each of the three configuration files."""
        return 1000 + self.number

    @property
    def commit(self):
        """The commit that is deployed next."""
        return self.git("rev-parse", "HEAD").strip()

    def sample(self):
        """Returns a file that the last commit changed, below the addons, and its SHA-256."""
        content = (self.path / "addons" / self.changed).read_bytes()
        return self.changed, hashlib.sha256(content).hexdigest()

    def write_addon(self, number):
        name = addon(number)
        manifest = {"name": name, "version": "1.0", "depends": ["base"], "license": "LGPL-3"}
        self.write(f"addons/{name}/__init__.py", "")
        self.write(f"addons/{name}/__manifest__.py", f"{manifest}\n")
        for index in range(FILES_OF_ADDON - 2):
            self.write_file(number, index, 0)

    def write_file(self, number, index, version):
        """Writes a file of an addon and returns its path below the addons."""
        kinds = list(KINDS)
        kind = kinds[index % len(kinds)]
        path = f"{addon(number)}/{kind.format(index)}"
        # A length like that of a file of an addon, and lines that do not repeat.
        filler = "".join(f"{mark(kind)} {number}.{index}.{line * 7919}\n" for line in range(80))
        if kind.endswith(".xml"):
            filler = f"<!--\n{filler}-->\n"
        text = KINDS[kind].format(index, addon(number), version)
        self.write(f"addons/{path}", text + filler)
        return path

    def write(self, path, text):
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def git(self, *arguments):
        return run("git", "-C", self.path, *arguments)


def addon(number):
    return f"bench_{number:02}"


def mark(kind):
    """Returns what begins a comment, where one line is one."""
    return {"py": "#", "js": "//", "scss": "//"}.get(kind.rsplit(".", 1)[1], "")


def run(*command):
    return subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
