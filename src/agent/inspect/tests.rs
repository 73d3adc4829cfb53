use std::{fs, io::Write, process::Command};

use serde_json::{Value, json};

use super::*;

/// Runs a script on this machine's own Python, without giving up privileges.
fn run(script: &str, job: &Value) -> String {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(job.to_string().as_bytes()).unwrap();
    input.rewind().unwrap();
    let output = Command::new("python3").args(["-I", "-c", script]).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn compare_file(path: &str, old: &str, new: &str) -> String {
    let pair = json!({"path": path, "old": old, "new": new, "hooks": ["post_init"]});
    let changes: Vec<CodeChange> = serde_json::from_str(&run(COMPARE, &json!([pair]))).unwrap();
    match &changes[0] {
        CodeChange::Same => "same".into(),
        CodeChange::Bodies => "bodies".into(),
        CodeChange::Structure { reason } => reason.clone(),
    }
}

const MODEL: &str = r#"
import json
from odoo import api, fields, models
from .rates import table
KINDS = [(k, k) for k in table()]
def build():
    return 1
LIMIT = build()
class Order(models.Model):
    """An order."""
    _name = 'acme.order'
    _order = 'name'
    name = fields.Char(required=True)
    kind = fields.Selection(selection=lambda self: self._kinds())
    day = fields.Date(default=lambda self: 1)
    total = fields.Float(compute='_compute_total', store=True)
    @api.depends('name')
    def _compute_total(self):
        self.total = 1
    def init(self):
        self._fill()
    def _fill(self):
        pass
    def _select(self):
        return 'a'
    def action(self, value=1):
        return value
"#;

fn change(from: &str, to: &str) -> String {
    assert!(MODEL.contains(from), "{from}");
    compare_file("models/order.py", MODEL, &MODEL.replacen(from, to, 1))
}

#[test]
fn comments_and_layout_are_no_change() {
    assert_eq!(change("import json\n", "import json  # why\n\n\n"), "same");
    assert_eq!(change("'name'", "\"name\""), "same");
}

#[test]
fn what_methods_do_needs_a_new_process_only() {
    assert_eq!(change("self.total = 1", "self.total = 2"), "bodies");
    assert_eq!(change("return value", "return value + 1"), "bodies");
    assert_eq!(change("\"\"\"An order.\"\"\"", "\"\"\"One order.\"\"\""), "bodies");
    assert_eq!(change("default=lambda self: 1", "default=lambda self: 2"), "bodies");
    assert_eq!(
        change("    def action", "    def other(self):\n        pass\n    def action"),
        "bodies"
    );
    assert_eq!(
        change("import json\n", "import json\nfrom odoo.exceptions import UserError\n"),
        "bodies"
    );
}

#[test]
fn what_the_database_keeps_needs_an_upgrade() {
    let reasons = [
        change("name = fields.Char(required=True)", "name = fields.Char()"),
        change("    name = fields.Char(required=True)\n", ""),
        change("_order = 'name'", "_order = 'id'"),
        change("lambda self: self._kinds()", "lambda self: self._all()"),
        change("value=1", "value=2"),
        change("@api.depends('name')", "@api.depends('kind')"),
        change("import table", "import table, other"),
        change("LIMIT = build()", "LIMIT = 2"),
        change("class Order(models.Model)", "class Order(models.TransientModel)"),
        change("    def action(self, value=1):\n        return value\n", ""),
        change("class Order", "class Extra(models.Model):\n    pass\nclass Order"),
    ];
    insta::assert_snapshot!(reasons.join("\n"), @r"
    field `name` of class `Order` changed
    field `name` of class `Order` removed
    `_order` of class `Order` changed
    field `kind` of class `Order` changed
    signature or decorators of function `action` of class `Order` changed
    signature or decorators of function `_compute_total` of class `Order` changed
    `from .rates import other` added
    `LIMIT` changed
    class `Order`: bases or decorators changed
    function `action` of class `Order` removed
    class `Extra` added
    ");
}

#[test]
fn a_function_that_runs_while_odoo_loads_or_upgrades_needs_an_upgrade() {
    let reasons = [
        change("self._fill()", "self._fill() or 1"),
        change("        pass\n", "        return 2\n"),
        change("return 1", "return 2"),
        change("return 'a'", "return 'b'"),
        change("return value", "class X:\n            pass\n        return X"),
        compare_file(
            "m.py",
            "class A(models.Model):\n  def post_init(self): 1",
            "class A(models.Model):\n  def post_init(self): 2",
        ),
        compare_file(
            "m.py",
            "class A(models.Model):\n  _auto = False\n  def a(self): 1",
            "class A(models.Model):\n  _auto = False\n  def a(self): 2",
        ),
        compare_file("m.py", "class A:\n  def a(self): 1", "class A:\n  def a(self): 2"),
        compare_file("migrations/19.0.1.0/pre-a.py", "a = 1", "a = 2"),
        compare_file("m.py", "a = 1", "a ="),
    ];
    insta::assert_snapshot!(reasons.join("\n"), @r"
    function `init` of class `Order`, which runs while Odoo loads or upgrades, changed
    function `_fill` of class `Order`, which runs while Odoo loads or upgrades, changed
    function `build` changed
    function `_select` of class `Order`, which may be part of a view's query, changed
    function `action` of class `Order`, which defines a class, changed
    function `post_init` of class `A`, which runs while Odoo loads or upgrades, changed
    class `A`, which may be a view of the database, changed
    class `A`, neither a model nor a controller, changed
    migration script changed
    the new version does not parse: invalid syntax (<unknown>, line 1)
    ");
}

#[test]
fn a_controller_keeps_nothing_in_the_database() {
    let old = "class Shop(http.Controller):\n  @http.route('/a')\n  def a(self, b): return 1\n";
    let new = "class Shop(http.Controller):\n  @http.route('/b')\n  def b(self, c): return 2\n";
    assert_eq!(compare_file("controllers/shop.py", old, new), "bodies");
}

#[test]
fn a_check_names_file_and_line_of_what_would_not_load() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let files = [
        ("acme/__manifest__.py", "{'name': 'Acme', 'data': ['views/a.xml', 'views/gone.xml']}"),
        ("acme/__init__.py", "import nothing\n"),
        ("acme/broken.py", "\ndef f(:\n"),
        ("acme/views/a.xml", "<odoo>\n<record></odoo>"),
        ("acme/static/src/t.xml", "<templates>&nbsp;</templates>"),
        ("acme/static/lib/t.xml", "<"),
        ("acme/tests/test_a.py", "def f(:"),
        ("acme/migrations/8.0.1.0/pre-a.py", "print 'x'"),
        ("acme/migrations/19.0.1.0/pre-a.py", "print 'x'"),
        ("other/__manifest__.py", "{'name': str(1)}"),
    ];
    for (path, text) in files {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test lays out its files")]
        fs::write(root.join(path), text).unwrap();
    }
    let names: Vec<_> = files.iter().map(|(path, _)| path).collect();
    let answer = run(
        CHECK,
        &json!({"root": root, "series": "19.0", "files": names, "addons": ["acme", "other"],
                "bytecode": false}),
    );
    // The messages are Python's own and differ between its versions.
    let found: Vec<_> = answer
        .lines()
        .filter_map(|line| match serde_json::from_str(line).unwrap() {
            Line::Problem { problem } => Some((problem.file, problem.line)),
            Line::Bytecode { .. } | Line::Done {} => None,
        })
        .collect();
    let expected = [
        ("acme/broken.py", Some(2)),
        ("acme/views/a.xml", Some(2)),
        ("acme/static/src/t.xml", Some(1)),
        ("acme/migrations/19.0.1.0/pre-a.py", Some(1)),
        ("acme/__manifest__.py", None),
        ("other/__manifest__.py", None),
    ];
    assert_eq!(found, expected.map(|(file, line)| (file.to_owned(), line)));
}

#[test]
fn an_interpreter_that_gets_no_job_does_not_outlive_the_wish_for_one() {
    let mut command = Command::new("python3");
    command.args(["-I", "-S", "-c", CHECK]).stdin(Stdio::piped());
    let child = command.spawn().unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let running = Running(Some(child));
    assert!(process.exists());
    drop(running);
    assert!(!process.exists());
}
