"""Says how far two versions of a Python file of an addon differ; imports none of it.

Reads a list of pairs as JSON from stdin and answers with one JSON list. Needs
Python 3.10 and nothing else.
"""

import ast
import json
import re
import sys
import warnings

# Run while a module is loaded or upgraded; what they do can be in the database.
UPGRADE_FUNCTIONS = {
    "_add_inherited_fields", "_add_magic_fields", "_add_sql_constraints", "_auto_end",
    "_auto_init", "_build_model", "_check_parent_path", "_check_removed_columns",
    "_execute_sql", "_init_column", "_load_records", "_load_records_create",
    "_load_records_write", "_parent_store_compute", "_prepare_setup", "_reflect",
    "_register_hook", "_setup_base", "_setup_complete", "_setup_fields", "_table_query",
    "_unregister_hook", "init",
}
# A view's query is put together from these.
QUERY_FUNCTION = re.compile(
    r"^_*(select|from|where|group_by|having|with|join|sub_select|union|case)(_|$)|query|sql"
)
# Called by Odoo when it needs the value, never kept in the database.
LAZY_ARGUMENTS = {"compute", "context", "default", "domain", "group_expand", "inverse", "search"}
# Decorators that only mark a method.
MARKS = {
    "constrains", "depends", "depends_context", "model", "model_create_multi", "onchange",
    "ondelete", "private", "readonly",
}
MODEL_BASES = {"AbstractModel", "Model", "TransientModel"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Structure(Exception):
    """A change that may need an upgrade, with the reason."""


def compare(pair):
    """Says how far two versions of a file differ: `same`, `bodies` or `structure`."""
    path = pair["path"]
    if pair["old"] == pair["new"]:
        return {"change": "same"}
    try:
        old, new = parse(pair["old"], "old"), parse(pair["new"], "new")
        if ast.dump(old) == ast.dump(new):
            return {"change": "same"}
        folders = path.split("/")[:-1]
        if "migrations" in folders or "upgrades" in folders:
            raise Structure("migration script changed")
        if path.endswith("__manifest__.py"):
            raise Structure("manifest changed")
        Comparison(old, new, set(pair["hooks"])).module()
    except Structure as reason:
        return {"change": "structure", "reason": str(reason)}
    except RecursionError:
        return {"change": "structure", "reason": "nested too deeply to compare"}
    return {"change": "bodies"}


def parse(source, which):
    if source is None:
        raise Structure("file added" if which == "old" else "file removed")
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, MemoryError) as error:
        raise Structure(f"the {which} version does not parse: {error}") from None


class Comparison:
    def __init__(self, old, new, hooks):
        self.old, self.new = old, new
        # Names of functions whose effect can outlive the process: those an upgrade
        # runs, those called while files load, and all these call.
        self.lasting = UPGRADE_FUNCTIONS | hooks
        for tree in (old, new):
            self.lasting |= eager_names(tree)
        self.close_over_calls()

    def close_over_calls(self):
        bodies = {}
        for tree in (self.old, self.new):
            for node in ast.walk(tree):
                if isinstance(node, FUNCTIONS):
                    bodies.setdefault(node.name, set()).update(names(node.body))
        pending = [name for name in bodies if name in self.lasting]
        while pending:
            called = bodies.pop(pending.pop())
            pending += [name for name in called if name in bodies and name not in pending]
            self.lasting |= called

    def module(self):
        old, new = entries(self.old.body), entries(self.new.body)
        self.imports(old, new)
        check_order(old, new, "module")
        for key in [*old, *(key for key in new if key not in old)]:
            kind, name = key[:2]
            was, now = old.get(key), new.get(key)
            if kind == "import" or was and now and equal(was, now):
                continue
            if kind == "class" and was and now:
                self.class_(name, was, now)
            else:
                raise Structure(f"{describe(kind, name, was or now)} {verb(was, now)}")

    def imports(self, old, new):
        for key in old.keys() ^ new.keys():
            if key[0] != "import":
                continue
            _, text, bound = key[:3]
            node = old.get(key) or new[key]
            source = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            relative = isinstance(node, ast.ImportFrom) and node.level
            imported = [alias.name for alias in node.names]
            addon = relative or any(is_addon(name) for name in [source, *imported])
            if (source, imported) == ("odoo", ["api"]):
                continue  # decorators are compared where they stand
            if addon or "*" in imported or any(name in self.lasting for name in bound):
                raise Structure(f"`{text}` {verb(old.get(key), new.get(key))}")

    def class_(self, name, was, now):
        for part in ("bases", "keywords", "decorator_list"):
            if dumps(getattr(was, part)) != dumps(getattr(now, part)):
                raise Structure(f"class `{name}`: bases or decorators changed")
        if is_query_view(was) or is_query_view(now):
            raise Structure(f"class `{name}`, which may be a view of the database, changed")
        controller = is_controller(was) and is_controller(now)
        if not controller and not MODEL_BASES.intersection(map(last_name, was.bases)):
            raise Structure(f"class `{name}`, neither a model nor a controller, changed")
        old, new = entries(was.body), entries(now.body)
        check_order(old, new, f"class `{name}`")
        for key in [*old, *(key for key in new if key not in old)]:
            kind, item = key[:2]
            before, after = old.get(key), new.get(key)
            if before and after and equal(before, after):
                continue
            if kind == "function":
                self.function(f"function `{item}` of class `{name}`", item, before, after)
                if not controller:
                    check_method(f"function `{item}` of class `{name}`", item, before, after)
            elif not (before and after and skeleton(before) == skeleton(after)):
                what = describe(kind, item, before or after)
                raise Structure(f"{what} of class `{name}` {verb(before, after)}")

    def function(self, where, name, was, now):
        if name in self.lasting or name.startswith("__"):
            raise Structure(f"{where}, which runs while Odoo loads or upgrades, {verb(was, now)}")
        nodes = [node for tree in (was, now) if tree for node in ast.walk(tree)]
        if any(isinstance(node, ast.ClassDef) for node in nodes):
            raise Structure(f"{where}, which defines a class, {verb(was, now)}")


def check_method(where, name, was, now):
    """Lets pass what leaves a model's tables and records alone: other bodies, new methods."""
    if QUERY_FUNCTION.search(name):
        raise Structure(f"{where}, which may be part of a view's query, {verb(was, now)}")
    if now is None:
        raise Structure(f"{where} removed")
    if was is None:
        if not all(is_mark(decorator) for decorator in now.decorator_list):
            raise Structure(f"{where} added")
        return
    if type(was) is not type(now):
        raise Structure(f"{where} changed its kind")
    for part in ("decorator_list", "args", "returns"):
        if dumps(getattr(was, part)) != dumps(getattr(now, part)):
            raise Structure(f"signature or decorators of {where} changed")


def entries(body):
    """Keys every statement by what it defines; docstrings are left out."""
    found = {}
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                single = one_import(statement, alias)
                bound = (alias.asname or alias.name.split(".")[0],)
                found[("import", ast.unparse(single), bound)] = single
            continue
        kind, name = entry(statement)
        number = 0
        while (kind, name, number) in found:
            number += 1
        found[(kind, name, number)] = statement
    return found


def entry(statement):
    if isinstance(statement, ast.ClassDef):
        return "class", statement.name
    if isinstance(statement, FUNCTIONS):
        return "function", statement.name
    if isinstance(statement, ast.Assign):
        return "value", ", ".join(ast.unparse(target) for target in statement.targets)
    if isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        return "value", ast.unparse(statement.target)
    return "statement", type(statement).__name__


def one_import(statement, alias):
    if isinstance(statement, ast.Import):
        return ast.Import(names=[alias])
    return ast.ImportFrom(module=statement.module, names=[alias], level=statement.level)


def check_order(old, new, where):
    """What runs while a file loads must run in the same order; functions may move."""
    def order(these, others):
        return [key for key in these if key in others and key[0] not in ("import", "function")]

    if order(old, new) != order(new, old):
        raise Structure(f"order of definitions of {where} changed")


def is_controller(node):
    """Tells whether the class answers requests; nothing of it is kept in the database."""
    if any(last_name(base) == "Controller" for base in node.bases):
        return True
    functions = [item for item in node.body if isinstance(item, FUNCTIONS)]
    marks = [mark for function in functions for mark in function.decorator_list]
    return any(last_name(mark) == "route" for mark in marks)


def is_query_view(node):
    """Tells whether the class is, or may extend, a model whose table is an SQL view."""
    bases = {last_name(base) for base in node.bases}
    for item in node.body:
        if not isinstance(item, ast.Assign):
            continue
        targets = {target.id for target in item.targets if isinstance(target, ast.Name)}
        if "_auto" in targets or "_table_query" in targets:
            return True
        if targets & {"_name", "_inherit"} and "AbstractModel" not in bases:
            values = [node for node in ast.walk(item.value) if isinstance(node, ast.Constant)]
            if any("report" in re.split(r"[._]", str(node.value)) for node in values):
                return True
    return False


def is_mark(decorator):
    if isinstance(decorator, ast.Call):
        lazy = all(isinstance(argument, ast.Constant) for argument in decorator.args)
        values = all(isinstance(keyword.value, ast.Constant) for keyword in decorator.keywords)
        return lazy and values and is_mark(decorator.func)
    if isinstance(decorator, ast.Name):
        return decorator.id in ("classmethod", "property", "staticmethod")
    is_api = isinstance(decorator, ast.Attribute) and last_name(decorator.value) == "api"
    return is_api and decorator.attr in MARKS


def is_addon(name):
    return name == "odoo.addons" or name.startswith(("odoo.addons.", "openerp."))


def last_name(node):
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def skeleton(statement):
    """Dumps a field's definition without the bodies of functions that Odoo calls later."""
    tree = ast.parse(ast.unparse(statement))
    for node in ast.walk(tree):
        if is_field(node) and all(keyword.arg != "company_dependent" for keyword in node.keywords):
            for keyword in node.keywords:
                if keyword.arg in LAZY_ARGUMENTS and isinstance(keyword.value, ast.Lambda):
                    keyword.value.body = ast.Constant(value=None)
    return ast.dump(tree)


def eager_names(tree):
    """Names used while the file loads: outside the bodies of functions and lambdas."""
    found, pending = set(), [tree]
    while pending:
        node = pending.pop()
        found |= own_name(node)
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            pending += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            pending += getattr(node, "decorator_list", [])
        elif is_field(node):
            pending += [node.func, *node.args]
            pending += [word.value for word in node.keywords if not is_passed_on(word)]
        else:
            pending += ast.iter_child_nodes(node)
    return found


def is_passed_on(keyword):
    """Tells whether a field only keeps this function, to call it later."""
    return keyword.arg in LAZY_ARGUMENTS and isinstance(keyword.value, ast.Name)


def names(body):
    return {name for statement in body for node in ast.walk(statement) for name in own_name(node)}


def own_name(node):
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return {node.id}
    return {node.attr} if isinstance(node, ast.Attribute) else set()


def equal(was, now):
    return ast.dump(was) == ast.dump(now)


def dumps(part):
    if isinstance(part, list):
        return [ast.dump(node) for node in part]
    return part and ast.dump(part)


def is_field(node):
    function = node.func if isinstance(node, ast.Call) else None
    return isinstance(function, ast.Attribute) and last_name(function.value) == "fields"


def describe(kind, name, node):
    if kind == "value":
        return f"field `{name}`" if is_field(getattr(node, "value", None)) else f"`{name}`"
    return f"a statement ({name})" if kind == "statement" else f"{kind} `{name}`"


def verb(was, now):
    return "changed" if was and now else "removed" if was else "added"


warnings.simplefilter("ignore")
print(json.dumps([compare(pair) for pair in json.load(sys.stdin.buffer)]))
