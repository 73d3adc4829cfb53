"""Compiles the Python and parses the XML and manifests of addons; imports none of it.

Reads a job as JSON from stdin and answers with lines of JSON, each `bytecode` line
followed by as many bytes as it says. Needs Python 3.10 and nothing else.
"""

import ast
import importlib.util
import json
import marshal
import os
import re
import sys
import warnings
from xml.parsers import expat

# Folders of an addon that a running Odoo does not read.
UNREAD = {"doc", "docs", "readme", "tests"}


def check(job, out):
    """Compiles and parses the files named; says what is broken, and gives the bytecode."""
    root, series = job["root"], job["series"].split(".")[0]
    checked = set()
    for path in job["files"]:
        if not is_loaded(path, series):
            continue
        checked.add(path)
        if path.endswith(".py"):
            check_python(root, path, job["bytecode"], out)
        elif path.endswith(".xml"):
            check_xml(root, path, out)
    for addon in job["addons"]:
        check_manifest(root, addon, checked, out)
    send(out, {"done": True})


def is_loaded(path, series):
    """Tells whether a running Odoo reads this file: no tests, no scripts of another series."""
    folders = path.split("/")[:-1]
    if UNREAD.intersection(folders):
        return False
    if "static" in folders:
        below = folders[folders.index("static") + 1 :]
        return path.endswith(".xml") and below[:1] in (["src"], ["xml"]) and "lib" not in below
    for folder, version in zip(folders, folders[1:]):
        if folder in ("migrations", "upgrades"):
            match = re.match(r"(?:saas[~-])?(\d+)(?:\.\d+){3,}$", version)
            return not match or match[1] == series
    return True


def check_python(root, path, bytecode, out):
    try:
        with open(os.path.join(root, path), "rb") as file:
            source = file.read()
        code = compile(source, os.path.join(root, path), "exec", dont_inherit=True)
    except SyntaxError as error:
        problem(out, path, error.lineno, f"{type(error).__name__}: {error.msg}")
    except (ValueError, OverflowError, RecursionError, MemoryError, OSError) as error:
        problem(out, path, None, f"{type(error).__name__}: {error}")
    else:
        if bytecode:
            # Valid for as long as the source's content is the same, whatever its time.
            flags = (0b11).to_bytes(4, "little")
            data = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
            data += marshal.dumps(code)
            send(out, {"bytecode": path, "tag": sys.implementation.cache_tag, "size": len(data)})
            out.write(data)


def check_xml(root, path, out):
    parser = expat.ParserCreate()
    try:
        with open(os.path.join(root, path), "rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        problem(out, path, error.lineno, f"XML: {expat.ErrorString(error.code)}")
    except (OSError, ValueError, LookupError) as error:
        problem(out, path, None, f"XML: {error}")


def check_manifest(root, addon, checked, out):
    path = f"{addon}/__manifest__.py"
    try:
        with open(os.path.join(root, path), "rb") as file:
            manifest = ast.literal_eval(file.read().decode("utf-8-sig"))
    except SyntaxError as error:
        if path not in checked:  # else it is said already
            problem(out, path, error.lineno, f"SyntaxError: {error.msg}")
        return
    except OSError as error:
        problem(out, path, None, error.strerror)
        return
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        problem(out, path, None, "not a literal: " + re.sub(r": <.*>$", "", str(error)))
        return
    if not isinstance(manifest, dict):
        problem(out, path, 1, "not a dictionary")
        return
    for key in ("data", "demo"):
        for name in strings(manifest.get(key)):
            if not os.path.isfile(os.path.join(root, addon, name)):
                problem(out, path, None, f"`{key}` names `{name}`, which does not exist")


def strings(value):
    items = value if isinstance(value, (list, tuple)) else ()
    return [item for item in items if isinstance(item, str)]


def problem(out, path, line, message):
    send(out, {"problem": {"file": path, "line": line, "message": message}})


def send(out, value):
    out.write(json.dumps(value).encode() + b"\n")


warnings.simplefilter("ignore")
check(json.load(sys.stdin.buffer), sys.stdout.buffer)
sys.stdout.buffer.flush()
