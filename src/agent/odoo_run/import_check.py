"""Imports modules under a release's odoo.conf: no registry, no database, no server.

Arguments: Odoo's program, the odoo.conf, and the modules in order. Answers with one
JSON list of failures on stdout.
"""

import importlib
import json
import os
import sys
import traceback

program, conf, *modules = sys.argv[1:]
# What modules print themselves must not get into the answer.
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.argv = [program]
# Odoo may run from a checkout that only its program's directory makes importable.
sys.path.insert(0, os.path.dirname(os.path.realpath(program)))


def import_modules():
    try:
        # The program itself begins with this; in 19 it prepares the interpreter.
        import odoo.cli  # noqa: F401
        from odoo.modules import module as odoo_module
        from odoo.tools import config

        config.parse_config(["-c", conf, "--logfile="])
        odoo_module.initialize_sys_path()
        importlib.import_module("odoo.addons.base")
    except BaseException as error:  # SystemExit is how a bad configuration ends
        return [describe(None, error)]
    failures = []
    for module in modules:
        try:
            importlib.import_module(f"odoo.addons.{module}")
        except BaseException as error:
            failures.append(describe(module, error))
    return failures


def describe(module, error):
    file, line = None, None
    if isinstance(error, SyntaxError):
        file, line, message = error.filename, error.lineno, error.msg
    else:
        message = " ".join(str(error).split())
        for frame in traceback.extract_tb(error.__traceback__):
            if f"/{module}/" in frame.filename:
                file, line = frame.filename, frame.lineno
    cause = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return {"module": module, "cause": cause, "file": file, "line": line}


json.dump(import_modules(), answer)
answer.flush()
os._exit(0)  # threads that modules started do not keep it
