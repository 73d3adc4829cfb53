//! What is deployed while faults strike: numbered editions of the demo, which
//! every part of a host can be asked for.

use std::collections::BTreeSet;

use crate::{
    lab::{Server, ask},
    world::{DATABASE, HOST, World},
};

const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";
const MODEL: &str = "custom-addons/taller_reparaciones/models/repair_order.py";
const VIEWS: &str = "custom-addons/taller_reparaciones/views/repair_order_views.xml";
const MANIFEST: &str = "custom-addons/taller_reparaciones/__manifest__.py";
/// The upgrade makes it an attachment, thus a file of the database.
const ICON: &str = "custom-addons/taller_reparaciones/static/description/icon.png";
const CONF: &str = "config/base.conf";

/// `limit_time_cpu` of the demo, and how many further values editions take.
const SECONDS: (u32, u32) = (600, 500);

/// How many pages are asked for: each worker answers some.
const PAGES: usize = 4;

/// The number of the edition that code and configuration are of, and that of the
/// one which the database was last upgraded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edition {
    pub(super) code: u32,
    pub(super) database: u32,
}

/// The files that make an edition, as they are in the demo.
pub(super) struct Editions {
    pristine: Vec<(&'static str, String)>,
}

impl Editions {
    /// Reads the demo's files.
    pub(super) fn of(world: &World) -> Self {
        let files = [CONTROLLER, MODEL, VIEWS, MANIFEST, CONF];
        Self { pristine: files.map(|file| (file, world.read(file))).into() }
    }

    /// Commits an edition.
    pub(super) fn commit(&self, world: &World, edition: Edition) {
        let Edition { code, database } = edition;
        for (file, text) in &self.pristine {
            world.write(file, text);
        }
        let answer = "\"orders\": orders";
        world.edit(CONTROLLER, answer, &format!("\"edition\": {code}, {answer}"));
        let (seconds, _) = SECONDS;
        world.edit(CONF, &limit(seconds), &limit(limit_of(code)));
        if database > 0 {
            let field = "    work_done =";
            world.edit(MODEL, field, &format!("    edition_{database} = fields.Char()\n{field}"));
            let label = format!("<field name=\"device\" string=\"Edition {database}\"/>");
            world.edit(VIEWS, "<field name=\"device\"/>", &label);
            world.write(ICON, &format!("edition {database}"));
            world.edit(MANIFEST, "19.0.1.2.0", &format!("19.0.2.{database}.0"));
        }
        world.commit(&format!("Edition {code}, {database}"));
    }
}

/// Tells which editions a host's parts are of, one line each; the host is of one
/// edition where they are those of [`expected_parts`].
pub(super) fn parts(server: &Server) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for _ in 0..PAGES {
        parts.insert(match ask(server.address(), HOST, "/taller/estado") {
            Ok(page) => format!("page: {}", number_behind(&page.body, "\"edition\": ")),
            Err(error) => format!("page: {error}"),
        });
    }
    let current = server.path(format!("/opt/odoo/{HOST}/current"));
    let read = |file: &str| std::fs::read_to_string(current.join(file)).unwrap_or_default();
    let controller = read(&format!("code/{CONTROLLER}"));
    parts.insert(format!("controller: {}", number_behind(&controller, "\"edition\": ")));
    let manifest = read(&format!("code/{MANIFEST}"));
    parts.insert(format!("manifest: {}", number_behind(&manifest, "19.0.2.")));
    parts.insert(format!("conf: {}", number_behind(&read("odoo.conf"), "limit_time_cpu = ")));
    let sql = "SELECT 'version: ' || COALESCE(substring(latest_version FROM '^19\\.0\\.2\\.(\\d+)\\.'), '0')
                 FROM ir_module_module WHERE name = 'taller_reparaciones';
               SELECT 'view: ' || COALESCE(substring(arch_db::text FROM 'Edition (\\d+)'), '0')
                 FROM ir_ui_view WHERE name = 'taller.repair.order.list';
               SELECT 'column: ' || COALESCE(string_agg(substring(column_name FROM 9), ' '), '0')
                 FROM information_schema.columns
                WHERE table_name = 'taller_repair_order' AND column_name LIKE 'edition\\_%';
               SELECT 'half way: ' || name || ' ' || state FROM ir_module_module
                WHERE state LIKE 'to %'";
    parts.extend(server.psql(DATABASE, sql).lines().map(str::to_owned));
    parts
}

/// Says what [`parts`] tells of a host that is wholly of one edition.
pub(super) fn expected_parts(edition: Edition) -> BTreeSet<String> {
    let Edition { code, database } = edition;
    let limit = if code == 0 { SECONDS.0 } else { limit_of(code) };
    [
        format!("page: {code}"),
        format!("controller: {code}"),
        format!("conf: {limit}"),
        format!("manifest: {database}"),
        format!("version: {database}"),
        format!("view: {database}"),
        format!("column: {database}"),
    ]
    .into()
}

/// Returns the odoo.conf of a release, made from that of another release and edition.
pub(super) fn odoo_conf(text: &str, from: (u32, Edition), to: (u32, Edition)) -> String {
    let release = |number: u32| format!("releases/{number:04}");
    let limit = |edition: Edition| match edition.code {
        0 => limit(SECONDS.0),
        code => limit(limit_of(code)),
    };
    text.replace(&release(from.0), &release(to.0)).replace(&limit(from.1), &limit(to.1))
}

fn limit(seconds: u32) -> String {
    format!("limit_time_cpu = {seconds}")
}

fn limit_of(code: u32) -> u32 {
    let (first, values) = SECONDS;
    first + 1 + code % values
}

fn number_behind(text: &str, mark: &str) -> u32 {
    let Some((_, rest)) = text.split_once(mark) else { return 0 };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
