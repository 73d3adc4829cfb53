"""Checks what the manifests of modules ask for besides modules, by Odoo's own rule.

Arguments: the modules. What they depend on is checked, too. Answers with one list of what
is missing.
"""


def check():
    odoo_module = prepare_odoo()
    from odoo.tools import find_in_path

    missing, seen, left = [], set(), list(reversed(arguments))
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


answer(check())
