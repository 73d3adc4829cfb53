"""Checks what the manifests of modules ask for besides modules, by Odoo's own rule.

Arguments: Odoo's program, the odoo.conf, and the modules. What they depend on is checked,
too. Answers with one JSON list of what is missing on stdout.
"""

import json
import os
import sys

program, conf, *modules = sys.argv[1:]
# What modules print themselves must not get into the answer.
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.argv = [program]
# Odoo may run from a checkout that only its program's directory makes importable.
sys.path.insert(0, os.path.dirname(os.path.realpath(program)))


def check():
    # The program itself begins with this; in 19 it prepares the interpreter.
    import odoo.cli  # noqa: F401
    from odoo.modules import module as odoo_module
    from odoo.tools import config, find_in_path

    config.parse_config(["-c", conf, "--logfile="])
    odoo_module.initialize_sys_path()
    missing, seen, left = [], set(), list(reversed(modules))
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        manifest = odoo_module.get_manifest(name) or {}
        left.extend(manifest.get("depends") or [])
        external = manifest.get("external_dependencies") or {}
        for dependency in external.get("python") or []:
            try:
                odoo_module.check_python_external_dependency(dependency)
            except Exception as error:
                missing.append({"module": name, "python": dependency, "cause": str(error)})
        for binary in external.get("bin") or []:
            try:
                find_in_path(binary)
            except OSError as error:
                missing.append({"module": name, "bin": binary, "cause": str(error)})
    return missing


json.dump(check(), answer)
answer.flush()
os._exit(0)
