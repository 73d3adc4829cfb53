"""Measures the tools side by side and prints the table. Run by `deployment/bench`."""

import argparse
import contextlib
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from repository import CHANGED, Repository
from table import KINDS, machine, promises, proportions, table
from tools import HERE, TOOLS, Server, command, control_path, environment

SSH_PORT, HTTP_PORT = 2222, 8080
# After so many deploys each prunes a release: five that are kept, the live one, one too many.
SETTLING = 7
STEP = re.compile(r"^ *\d+/\d+ .*$", re.MULTILINE)
PROGRAMS = {"stand-in": "/usr/bin/odoo-bench", "real": "/usr/bin/odoo"}


def main():
    asked = arguments()
    servers = [look_up(asked.lab, name) for name in asked.names]
    bench = Bench(asked, servers)
    bench.prepare()
    results = {}
    for count in asked.servers:
        for delay in asked.delays:
            with bench.distance(delay):
                measured = bench.measure(servers[:count])
            for kind in KINDS:
                results[count, delay, kind] = measured[kind]
    show(results, bench)


def arguments():
    numbers = lambda text: [int(word) for word in text.split(",")]  # noqa: E731
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--deploy", required=True)
    parser.add_argument("--servers", type=numbers, required=True)
    parser.add_argument("--delays", type=numbers, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--tools", type=lambda text: text.split(","), required=True)
    parser.add_argument("--odoo", choices=PROGRAMS, required=True)
    parser.add_argument("--load-check", action="store_true")
    parser.add_argument("names", nargs="+")
    return parser.parse_args()


def look_up(lab, name):
    """Asks the lab how a server is reached; an address of the loopback stands before it."""
    said = subprocess.run([lab, "env", name], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = dict(line.split("=", 1) for line in said.splitlines())
    number = name.rsplit("-", 1)[1]
    return Server(
        name=name,
        host=f"{name}.example.com",
        address=f"127.77.0.{number}",
        port=SSH_PORT,
        identity=found["IDENTITY"],
        host_key=found["HOST_KEY"],
        behind=found["ADDRESS"],
    )


class Bench:
    """Servers, tools and the repository that these deploy to those."""

    def __init__(self, asked, servers):
        self.asked, self.servers = asked, servers
        self.tools = [tool for tool in TOOLS if tool.name in asked.tools]
        self.repository = Repository(asked.state, servers, PROGRAMS[asked.odoo], asked.load_check)
        self.log = asked.state / "log"
        # The servers where each further run of `deploy` prunes a release.
        self.settled = set()
        # What `deploy` last told of a changing deploy to one server.
        self.steps = ""

    def prepare(self):
        """Makes the repository and says how the servers are reached."""
        say("making a repository of 6,000 files")
        self.repository.make()
        for name in ("floor", "rsync", "ansible"):
            (self.asked.state / name).mkdir(exist_ok=True)
        config, known = self.asked.state / "ssh_config", self.asked.state / "known_hosts"
        config.write_text("".join(
            f"Host {server.name}\n  HostName {server.address}\n  Port {server.port}\n"
            f"  User deploy\n  IdentityFile {server.identity}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n"
            for server in self.servers
        ))
        known.write_text("".join(
            f"[{server.address}]:{server.port} {server.host_key}\n" for server in self.servers
        ))

    @contextlib.contextmanager
    def distance(self, delay):
        """Puts a round trip between here and the servers: their sshd and their nginx."""
        ways = []
        for server in self.servers:
            ways.append(f"{server.address}:{SSH_PORT}={server.behind}:22")
            ways.append(f"{server.address}:{HTTP_PORT}={server.behind}:{HTTP_PORT}")
        proxy = subprocess.Popen(
            [sys.executable, HERE / "proxy.py", str(delay), *ways],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            if not proxy.stdout.readline():
                fail("the proxy does not start")
            say(f"{delay} ms of round trip")
            yield
        finally:
            proxy.terminate()
            proxy.wait()

    def measure(self, servers):
        """Measures both kinds on these servers: runs by kind and tool, in seconds."""
        self.settle(servers)
        for tool in self.tools:  # brings all servers to the same commit, unmeasured
            self.deploy(tool, servers)
        measured = {kind: {tool.name: [] for tool in self.tools} for kind in KINDS}
        for _ in range(self.asked.runs):
            self.repository.change()
            for tool in self.tools:
                for kind in reversed(KINDS):
                    seconds = self.deploy(tool, servers)
                    measured[kind][tool.name].append(seconds)
                    say(f"{len(servers)} servers, {tool.name}, {kind}: {seconds:.2f}")
                    if tool.name == "deploy" and kind == "changing" and len(servers) == 1:
                        self.steps = "\n".join(STEP.findall(self.log.read_text()))
                    self.check(tool, servers)
        return measured

    def settle(self, servers):
        """Deploys with `deploy` until it keeps no more releases: each of its later runs prunes
        one, as on a server that is deployed to every day. What others do is always the same."""
        names = {server.name for server in servers}
        for tool in self.tools:
            if tool.name == "deploy" and not names <= self.settled:
                for _ in range(SETTLING):
                    self.repository.change()
                    self.deploy(tool, servers)
                self.settled |= names

    def deploy(self, tool, servers):
        """Deploys over connections that nothing has opened before; returns the seconds."""
        words = command(tool, servers, self.asked.deploy)
        surroundings = environment(tool, servers, self.repository, self.asked.state)
        where = self.repository.path if tool.name == "deploy" else HERE
        with open(self.log, "w") as log:
            begun = time.monotonic()
            ended = subprocess.run(
                words, cwd=where, env=surroundings, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            seconds = time.monotonic() - begun
        if ended.returncode != 0:
            print(self.log.read_text(), file=sys.stderr)
            fail(f"{shlex.join(words)} ended with status {ended.returncode}")
        if tool.name == "ansible":
            self.disconnect(servers)
        return seconds

    def disconnect(self, servers):
        """Ends the connections that Ansible keeps open: the next run is cold."""
        for server in servers:
            path = f"ControlPath={control_path(self.asked.state)}"
            ssh = ["ssh", "-F", self.asked.state / "ssh_config", "-o", path, "-O", "exit"]
            subprocess.run([*ssh, server.name], stderr=subprocess.DEVNULL)

    def check(self, tool, servers):
        """Makes sure that what was to be deployed is there, past the delay and unmeasured."""
        name, digest = self.repository.sample()
        for server in servers:
            conf, unit, vhost, code = tool.places(server)
            script = (
                f"grep -F {self.repository.limit} {conf} && grep -F {self.repository.limit} {vhost} &&"
                f" systemctl is-active {Path(unit).stem} &&"
                f" echo {digest} {code}/{name} | sha256sum --check"
            )
            ended = subprocess.run(
                [self.asked.lab, "shell", server.name, "bash", "-c", script],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            if ended.returncode != 0:
                fail(f"{tool.name} did not deploy to {server.name}:\n{ended.stdout}")


def show(results, bench):
    tools = bench.tools
    print(f"{CHANGED} of 6,000 files and three configuration files; seconds, {machine()}\n")
    print(table(results, tools), proportions(results, tools), promises(results), sep="\n\n")
    if bench.steps:
        print(f"\nThe last changing deploy to one server, step by step:\n\n{bench.steps}")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def fail(text):
    print(f"bench: error: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
