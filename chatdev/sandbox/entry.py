"""Where a product starts: found from its files alone, no file is run for it."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import decode_source
from pathlib import PurePosixPath
from typing import Literal

from chatdev.sandbox.languages import TEST_FOLDERS
from chatdev.sandbox.recipe import Round, recipe, script_tests
from chatdev.software.syntax import parse_python

MAIN_NAMES = ("main.py", "__main__.py", "app.py", "run.py", "game.py", "start.py", "cli.py", "server.py", "manage.py")
"""Names that mean "start here", best first."""
PAGES = ("index.html", "index.htm", "main.html")
GUI = {
    "tkinter", "Tkinter", "customtkinter", "ttkbootstrap", "pygame", "PyQt5", "PyQt6", "PySide2", "PySide6",
    "turtle", "wx", "kivy", "arcade", "pyglet", "matplotlib", "easygui", "PySimpleGUI", "dearpygui", "pgzero",
    "pgzrun", "ursina",
}  # fmt: skip
TERMINAL = {"curses", "textual", "prompt_toolkit", "blessed", "urwid", "asciimatics", "npyscreen", "termios", "tty"}
WEB = {
    "flask",
    "django",
    "fastapi",
    "bottle",
    "starlette",
    "aiohttp",
    "tornado",
    "http",
    "uvicorn",
    "cherrypy",
    "quart",
}


@dataclass(frozen=True)
class Entry:
    """How a product is started."""

    kind: Literal["python", "node", "html", "built"]
    command: tuple[str, ...]
    file: str
    why: str
    gui: bool = False
    """Some file imports a window toolkit."""
    terminal: bool = False
    """Some file imports a toolkit for full-screen terminal programs."""
    web: bool = False
    """It is a page, or a server of pages: a browser can photograph it."""
    kit: str | None = None
    """The image kit that has the language's toolchain; None when the plain image has it."""
    build: tuple[tuple[str, ...], ...] = ()
    """Commands that come before the start."""
    test: tuple[Round, ...] = ()
    """How the language's own tests are run; () when there are no tests in it."""
    language: str = ""
    """The entry of the table whose tests these are."""
    tests: tuple[str, ...] = ()
    """The files of these tests."""
    root: str = "."
    """The folder in which Python looks for the product's own modules first."""


def is_test(name: str, data: bytes | None = None) -> bool:
    """True for files that pytest would collect, and their helpers. With its `data` a file like `typing_test.py` is a
    test only where something in it is one.
    """
    path = PurePosixPath(name)
    if path.suffix != ".py":
        return False
    if path.name.startswith("test_") or path.name == "conftest.py":
        return True
    if not path.stem.endswith("_test"):
        return False
    tree = parse(data) if data is not None and not TEST_FOLDERS & set(path.parts[:-1]) else None
    return tree is None or any(_is_test(node) for node in tree.body)


def _is_test(node: ast.stmt) -> bool:
    """A test, or a class of them; also below a condition, as they are made in loops."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name.startswith("test")
    if isinstance(node, ast.ClassDef):
        return any(_is_test(part) for part in node.body)
    return isinstance(node, ast.If | ast.For | ast.Try | ast.With) and any(_is_test(part) for part in node.body)


def find_entry(files: Mapping[str, bytes]) -> Entry | None:
    """The entry point of a product, or None. Order: named mains, the only guarded script, a package's `__main__`,
    pyproject scripts, package.json, index.html.
    """
    trees = {name: tree for name, data in files.items() if name.endswith(".py") and (tree := parse(data)) is not None}
    imported = {name for tree in trees.values() for name in imports(tree)}
    python = _python(files, trees)
    if python is not None:
        name, why = python
        arguments, root = _arguments(name, files, trees)
        gui, terminal, web = (bool(imported & family) for family in (GUI, TERMINAL, WEB))
        return Entry("python", ("python3", *arguments), name, why, gui, terminal, web, root=root)
    entry = _built(files) or _node(files) or _page(files)
    if entry is None or entry.kind == "built":
        return entry
    test, tests = script_tests(files)
    return replace(entry, test=test, tests=tests, language="javascript" if tests else "")


def parse(data: bytes) -> ast.Module | None:
    """The syntax tree, or None when the file has none."""
    try:
        return parse_python(decode_source(data))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def imports(tree: ast.Module) -> set[str]:
    """First components of the absolute imports in a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def guarded(tree: ast.Module) -> bool:
    """True when the module has `if __name__ == "__main__":` at its top level."""
    return any(
        isinstance(n, ast.If) and "__name__" in ast.dump(n.test) and "__main__" in ast.dump(n.test) for n in tree.body
    )


def acts(tree: ast.Module) -> bool:
    """True when importing the module does more than define things: calls, loops, `with` at its top level."""
    plain = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for node in tree.body:
        if isinstance(node, plain) or (isinstance(node, ast.If | ast.Try) and not _calls(node)):
            continue
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        return True
    return False


def _calls(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Expr) and isinstance(n.value, ast.Call) for n in ast.walk(node))


def _depth(name: str) -> tuple[int, str]:
    return name.count("/"), name


def _python(files: Mapping[str, bytes], trees: Mapping[str, ast.Module]) -> tuple[str, str] | None:
    sources = sorted((n for n in files if n.endswith(".py") and not _aside(n, files[n])), key=_depth)
    for depth_limit in (0, 1, 9):
        for wanted in MAIN_NAMES:
            for name in sources:
                if PurePosixPath(name).name != wanted or name.count("/") > depth_limit:
                    continue
                tree = trees.get(name)
                # "game.py" may as well be a module of something else: then it has to act when it is run.
                if wanted in ("main.py", "__main__.py") or (tree is not None and (guarded(tree) or acts(tree))):
                    return name, f"named {wanted}"
    ready = [n for n in sources if n in trees and guarded(trees[n])]
    if len(ready) == 1:
        return ready[0], "the only file with a __main__ guard"
    script = _pyproject(files)
    if script:
        return script, "a script in pyproject.toml"
    used = {module for tree in trees.values() for module in imports(tree)}
    loose = [
        n
        for n in sources
        if n in trees and "/" not in n and (guarded(trees[n]) or acts(trees[n])) and n[:-3] not in used
    ]
    if len(loose) == 1:
        return loose[0], "the only script that nothing imports"
    if len(sources) == 1 and (sources[0] not in trees or acts(trees[sources[0]])):
        return sources[0], "the only Python file"
    return None


def _aside(name: str, data: bytes) -> bool:
    """Tests, packaging and examples are not where a product starts."""
    parts = PurePosixPath(name).parts
    return (
        is_test(name, data)
        or parts[0] in TEST_FOLDERS | {"examples", "docs", "scripts"}
        or parts[-1] in ("setup.py", "noxfile.py")
    )


def _arguments(name: str, files: Mapping[str, bytes], trees: Mapping[str, ast.Module]) -> tuple[tuple[str, ...], str]:
    """(arguments of Python, folder of the first modules): `-m package.module` when the file needs its package around
    it, else its path. A package below `src` is run with that on the path, and a script of pyproject.toml that nothing
    calls is called, as if both were installed.
    """
    path = PurePosixPath(name)
    tree = trees.get(name)
    package = list(path.parts[:-1])
    root = "src" if package[:1] == ["src"] and len(package) > 1 and "src/__init__.py" not in files else "."
    if root == "src":
        package.pop(0)
    relative = tree is not None and any(isinstance(n, ast.ImportFrom) and n.level > 0 for n in ast.walk(tree))
    by_package = tree is not None and bool(package) and package[0] in imports(tree)
    module = ".".join(package) if path.name == "__main__.py" else ".".join([*package, path.stem])
    named = all(part.isidentifier() for part in module.split("."))
    script, _, function = _scripts(files).get(name, "").partition(":")
    if tree is not None and function.isidentifier() and not guarded(tree) and not acts(tree):
        way = "sys.path.insert(0, 'src'); " if root == "src" else ""
        call = f"from {script} import {function}; sys.exit({function}())"
        return ("-c", f"import sys; {way}sys.argv[0] = {path.stem!r}; {call}"), root
    if package and named and (relative or by_package):
        if root == ".":
            return ("-m", module), root
        run = f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
        return ("-c", f"import runpy, sys; sys.path.insert(0, 'src'); {run}"), root
    return (name,) if not name.startswith("-") else (f"./{name}",), path.parent.as_posix()


def _pyproject(files: Mapping[str, bytes]) -> str | None:
    return next(iter(_scripts(files)), None)


def _scripts(files: Mapping[str, bytes]) -> dict[str, str]:
    """The scripts of pyproject.toml: file -> module:function."""
    data = files.get("pyproject.toml")
    if data is None:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        project = tomllib.loads(data.decode("utf-8", "replace")).get("project", {})
    except (ValueError, RecursionError):
        return {}
    scripts = project.get("scripts", {}) if isinstance(project, dict) else {}
    found: dict[str, str] = {}
    for target in scripts.values() if isinstance(scripts, dict) else ():
        module, _, function = str(target).replace(" ", "").partition(":")
        if not all(part.isidentifier() for part in module.split(".")):
            continue
        path = module.replace(".", "/")
        ends = (f"{path}.py", f"src/{path}.py", f"{path}/__init__.py", f"src/{path}/__init__.py")
        found |= {name: f"{module}:{function}" for name in ends if name in files}
    return found


def _node(files: Mapping[str, bytes]) -> Entry | None:
    try:
        package = json.loads(files.get("package.json", b"{}"))
    except (ValueError, RecursionError):
        package = {}
    package = package if isinstance(package, dict) else {}
    start = package.get("scripts", {}).get("start", "") if isinstance(package.get("scripts"), dict) else ""
    words = str(start).split()
    if len(words) == 2 and words[0] == "node" and words[1] in files:
        return Entry("node", ("node", words[1]), words[1], "the start script of package.json")
    main = package.get("main")
    if isinstance(main, str) and main in files:
        return Entry("node", ("node", main), main, "main of package.json")
    if not any(p in files for p in PAGES):
        for name in ("index.js", "main.js", "app.js", "server.js", "index.mjs", "main.mjs"):
            if name in files:
                return Entry("node", ("node", name), name, f"named {name}")
    return None


def _built(files: Mapping[str, bytes]) -> Entry | None:
    found = recipe(files)
    if found is None:
        return None
    why = f"a program in {found.language}"
    return Entry(
        "built", found.run, found.file, why, kit=found.language, build=found.build, test=found.test,
        language=found.language, tests=found.tests,
    )  # fmt: skip


def _page(files: Mapping[str, bytes]) -> Entry | None:
    pages = sorted((n for n in files if n.lower().endswith((".html", ".htm"))), key=_depth)
    named = [n for n in pages if PurePosixPath(n).name in PAGES]
    chosen = (named or (pages if len(pages) == 1 else []))[:1]
    if not chosen:
        return None
    command = ("python3", "-m", "http.server", "8000", "--bind", "127.0.0.1")
    return Entry("html", command, chosen[0], "a web page", web=True)
