"""Sets the password of user `admin`, as Odoo itself would hash it.

Arguments: Odoo's program, the odoo.conf, the database. The password is all of stdin.
Answers with one JSON object on stdout: the login, or what went wrong.
"""

import json
import os
import sys

program, conf, database = sys.argv[1:]
password = sys.stdin.buffer.read().decode()
# What modules print themselves must not get into the answer.
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.argv = [program]
# Odoo may run from a checkout that only its program's directory makes importable.
sys.path.insert(0, os.path.dirname(os.path.realpath(program)))


def set_password():
    # The program itself begins with this; in 19 it prepares the interpreter.
    import odoo.cli  # noqa: F401
    from odoo import SUPERUSER_ID, api
    from odoo.modules import module as odoo_module
    from odoo.modules.registry import Registry
    from odoo.tools import config

    config.parse_config(["-c", conf, "-d", database, "--logfile=", "--max-cron-threads=0"])
    odoo_module.initialize_sys_path()
    with Registry(database).cursor() as cr:
        users = api.Environment(cr, SUPERUSER_ID, {})["res.users"]
        user = users.env.ref("base.user_admin", raise_if_not_found=False)
        user = user or users.search([("login", "=", "admin")], limit=1)
        if not user:
            return {"error": "there is no user `admin`"}
        # Writing the field would send mail about it, to an address that is nobody's yet.
        users._set_encrypted_password(user.id, users._crypt_context().hash(password))
        return {"login": user.login}


try:
    said = set_password()
except BaseException as error:  # SystemExit is how a bad configuration ends
    said = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
json.dump(said, answer)
answer.flush()
os._exit(0)  # threads that modules started do not keep it
