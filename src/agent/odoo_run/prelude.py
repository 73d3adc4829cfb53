"""What every script begins with that runs inside Odoo's own code.

Arguments: Odoo's program, the odoo.conf, and the script's own. Answers with JSON on stdout.
"""

import json
import os
import sys

program, conf, *arguments = sys.argv[1:]
# What modules print themselves must not get into the answer.
_answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.argv = [program]
# Odoo may run from a checkout that only its program's directory makes importable.
sys.path.insert(0, os.path.dirname(os.path.realpath(program)))


def prepare_odoo(*options):
    """Has Odoo read its configuration and find its addons; returns its module for modules."""
    # The program itself begins with this; in 19 it prepares the interpreter.
    import odoo.cli  # noqa: F401
    from odoo.modules import module as odoo_module
    from odoo.tools import config

    config.parse_config(["-c", conf, *options, "--logfile="])
    odoo_module.initialize_sys_path()
    return odoo_module


def answer(said):
    """Says it and ends; threads that modules started do not keep the process."""
    json.dump(said, _answer)
    _answer.flush()
    os._exit(0)


