"""Sets the password of user `admin`, as Odoo itself would hash it.

Arguments: the database. The password is all of stdin. Answers with one object: the login,
or what went wrong.
"""

[database] = arguments
password = sys.stdin.buffer.read().decode()


def set_password():
    prepare_odoo("-d", database, "--max-cron-threads=0")
    from odoo import SUPERUSER_ID, api
    from odoo.modules.registry import Registry

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
answer(said)
