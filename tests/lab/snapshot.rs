//! A database that was taken back is the one that users left, to its last
//! privilege, setting, file and row.

use std::{thread, time::Duration};

use crate::{
    revert::{Before, add_migration},
    world::{DATABASE, World},
};

/// Writes through Odoo as fast as it can, until it is refused; every name that
/// Odoo confirmed goes into a file.
const USER: &str = r#"
import xmlrpc.client
url = "http://127.0.0.1:8269/xmlrpc/2/"
uid = xmlrpc.client.ServerProxy(url + "common").authenticate("demo", "admin", "admin", {})
odoo = xmlrpc.client.ServerProxy(url + "object")
with open("/root/confirmed", "w") as confirmed:
    for number in range(100000):
        name = f"customer {number}"
        odoo.execute_kw("demo", uid, "admin", "res.partner", "create", [{"name": name}])
        confirmed.write(name + "\n")
        confirmed.flush()
"#;

const PRIVILEGES: &str = r#"
CREATE ROLE reader LOGIN;
REVOKE CONNECT, TEMPORARY ON DATABASE demo FROM PUBLIC;
GRANT CONNECT ON DATABASE demo TO reader WITH GRANT OPTION;
ALTER DATABASE demo CONNECTION LIMIT 77;
ALTER DATABASE demo SET statement_timeout TO '5min';
ALTER DATABASE demo SET search_path TO "$user", public;
ALTER ROLE odoo IN DATABASE demo SET work_mem TO '9MB';
ALTER ROLE reader IN DATABASE demo SET default_transaction_read_only TO on;
COMMENT ON DATABASE demo IS 'The workshop''s "own" database';
"#;

const PROPERTIES: &str = "
SELECT pg_get_userbyid(datdba), datacl, datconnlimit, datallowconn, datistemplate,
       encoding, datcollate, shobj_description(d.oid, 'pg_database')
  FROM pg_database d WHERE datname = 'demo';
SELECT coalesce(rolname, '(all)'), setconfig
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole
 WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'demo') ORDER BY 1;
";

/// Puts a file into Odoo's store and returns the attachment's id.
fn attach(world: &World) -> String {
    let server = world.server();
    let name = "ab/abcdef0123456789abcdef0123456789abcdef01";
    let store = "/var/lib/odoo/demo.somosblink.com/filestore/demo";
    let script = format!(
        "set -e; install -d -o odoo -g odoo {store}/ab
         printf 'the signed order' >{store}/{name}; chown odoo: {store}/{name}"
    );
    server.script(&script).ok();
    server.psql(
        DATABASE,
        &format!(
            "INSERT INTO ir_attachment (name, type, public, store_fname, file_size, mimetype)
             VALUES ('order.txt', 'binary', true, '{name}', 16, 'text/plain') RETURNING id"
        ),
    )
}

#[test]
fn a_database_comes_back_with_its_privileges_settings_files_and_last_rows() {
    let world = World::deployed("snapshot");
    let server = world.server();
    server.psql(DATABASE, PRIVILEGES);
    let properties = server.psql(DATABASE, PROPERTIES);
    let attachment = attach(&world);
    let order = format!("/web/content/{attachment}");
    assert_eq!(server.get(&order).body, "the signed order");
    add_migration(
        &world,
        "post-fill.py",
        &format!(
            "from odoo import SUPERUSER_ID, api\n\n\n\
             def migrate(cr, version):\n\
             \x20   attachments = api.Environment(cr, SUPERUSER_ID, {{}})['ir.attachment']\n\
             \x20   attachments.browse({attachment}).unlink()\n\
             \x20   cr.commit()\n\
             \x20   attachments._gc_file_store_unsafe()\n\
             \x20   cr.execute(\"DELETE FROM res_partner WHERE name LIKE 'customer %'\")\n\
             \x20   cr.commit()\n\
             \x20   raise ValueError('too late')\n"
        ),
    );
    world.commit("Remove what users need");
    let before = Before::look(&world);
    let user = "systemd-run --quiet --collect --unit=user python3 /root/user.py";
    server.script(&format!("cat >/root/user.py <<'END'\n{USER}\nEND\n{user}")).ok();
    server.wait_until("the user writes", |server| {
        server.path("/root/confirmed").metadata().is_ok_and(|file| file.len() > 0)
    });
    world.deploy(&[]).expect_code(7).expect_said("ValueError: too late");
    thread::sleep(Duration::from_millis(200));

    assert_eq!(server.psql(DATABASE, PROPERTIES), properties);
    assert_eq!(server.get(&order).body, "the signed order");
    let confirmed = server.shell(&["cat", "/root/confirmed"]).ok();
    let customers = "SELECT name FROM res_partner WHERE name LIKE 'customer %' ORDER BY id";
    let there = server.psql(DATABASE, customers);
    assert!(confirmed.lines().count() > 3, "{confirmed}");
    assert!(there.starts_with(confirmed.trim_end()), "confirmed {confirmed}, there {there}");
    assert!(there.lines().count() <= confirmed.lines().count() + 1);
    // The database that failed has the migration's work, and nobody gets in.
    let closed = server
        .psql("postgres", "SELECT datallowconn FROM pg_database WHERE datname = 'demo~failed-2'");
    assert_eq!(closed, "f");
    assert_eq!(server.get("/taller/estado").body, before.page().body);
}
