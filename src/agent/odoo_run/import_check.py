"""Imports modules under a release's odoo.conf: no registry, no database, no server.

Arguments: the modules in order. Answers with one list of failures.
"""

import importlib
import traceback


def import_modules():
    try:
        prepare_odoo()
        importlib.import_module("odoo.addons.base")
    except BaseException as error:  # SystemExit is how a bad configuration ends
        return [describe(None, error)]
    failures = []
    for module in arguments:
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


answer(import_modules())
