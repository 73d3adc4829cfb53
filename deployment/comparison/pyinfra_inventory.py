"""The servers of a run, for pyinfra: reached as ssh's own configuration says."""

import os

servers = [
    (name, {"ssh_config_file": os.environ["SSH_CONFIG"]}) for name in os.environ["SERVERS"].split()
]
