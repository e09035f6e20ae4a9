"""When nothing was seen of a program: what its source says about that. A start that shows nothing is no proof."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from chatdev.sandbox.entry import Entry, imports, is_test, parse
from chatdev.sandbox.job import Run
from chatdev.sandbox.traces import TRACEBACK

TAKES_ARGUMENTS = {"argparse", "click", "typer", "fire", "docopt", "optparse", "getopt"}
SCHEDULERS = {"schedule", "sched", "apscheduler", "croniter", "watchdog"}
STARTS = {"main", "run", "start", "play", "cli"}
"""Names of functions that somebody has to call."""
WINDOWS = {"Tk", "CTk", "set_mode", "QApplication", "QGuiApplication", "mainloop", "Turtle"}
"""Calls that make a window a person should see."""
_CLOCK = {"now", "today", "localtime", "strftime", "run_pending", "gmtime"}


def nothing_seen(run: Run) -> bool:
    """True when a program neither printed nor wrote, opened, served or asked for anything."""
    return not run.stdout.text.strip() and not run.stderr.text.strip() and not _acted(run)


def only_error(run: Run) -> bool:
    """True when a traceback is all that was seen of a program: nothing before it, nothing after it, nothing done."""
    lines = run.stderr.text.strip().splitlines()
    # The error's own line is the last one and follows the frames: a note to the person would stand below it.
    whole = len(lines) > 2 and lines[0].startswith(TRACEBACK) and lines[-2].startswith(" ")
    return whole and not lines[-1].startswith(" ") and not run.stdout.text.strip() and not _acted(run)


def _acted(run: Run) -> bool:
    return any(run.facts.get(k) for k in ("typed", "wrote", "ports", "windows", "sockets"))


def takes_arguments(files: Mapping[str, bytes], entry: Entry) -> bool:
    """True when the program reads a command line."""
    return any(imports(tree) & TAKES_ARGUMENTS or "argv" in _words(tree) for tree in _reached(files, entry))


def makes_window(files: Mapping[str, bytes], entry: Entry) -> bool:
    """True when what the program is made of opens a window that is not at once withdrawn."""
    words = [_words(tree) for tree in _reached(files, entry)]
    return any(WINDOWS & w for w in words) and not any("withdraw" in w for w in words)


def does_nothing(files: Mapping[str, bytes], entry: Entry) -> str:
    """Why a Python program that showed nothing cannot do anything: `main.py defines main() and never calls it`; "" when
    it may do something that cannot be seen.
    """
    tree = parse(files.get(entry.file, b"")) if entry.kind == "python" else None
    if tree is None:
        return ""
    if not tree.body:
        return f"{entry.file} is empty"
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    used = _words(tree)
    uncalled = [name for name in defined if name in STARTS and name not in used]
    if uncalled:
        return f"{entry.file} defines {uncalled[0]}() and never calls it"
    dead = [n for n in tree.body if isinstance(n, ast.If) and "'__name__'" in ast.dump(n.test)]
    if dead and not any("'__main__'" in ast.dump(n.test) for n in dead):
        return f"{entry.file}:{dead[0].lineno} compares __name__ with something else than '__main__'"
    if any(isinstance(n, ast.Call) for node in tree.body if not _defines(node) for n in ast.walk(node)):
        return ""
    return f"{entry.file} only defines things and runs nothing" if not imports_own(tree, files) else ""


def imports_own(tree: ast.Module, files: Mapping[str, bytes]) -> bool:
    """True when a module imports another file of the product."""
    return any(_files_of(name, files) for name in _modules(tree))


def waits_for_its_time(run: Run, files: Mapping[str, bytes], entry: Entry) -> bool:
    """A scheduler between two jobs: it said something, it sleeps, and its source looks at the clock in a loop."""
    if not run.stdout.text.strip() or run.facts.get("cpu_seconds", 0) > max(1.0, run.seconds / 10):
        return False
    return any(imports(tree) & SCHEDULERS or _clock_loop(tree) for tree in _reached(files, entry))


def _clock_loop(tree: ast.Module) -> bool:
    """A loop without an end that sleeps and asks for the time of day (itself, or by what the module defines)."""
    loops = [n for n in ast.walk(tree) if isinstance(n, ast.While)]
    return bool(_CLOCK & _words(tree)) and any(_words(loop) & {"sleep", "wait"} for loop in loops)


def _defines(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _words(tree: ast.AST) -> set[str]:
    """Every name and attribute that is used (not: defined) somewhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found


def _reached(files: Mapping[str, bytes], entry: Entry) -> Iterator[ast.Module]:
    """The trees of the starting file and of all that it imports from the product."""
    seen, todo = {entry.file}, [entry.file]
    while todo:
        tree = parse(files.get(todo.pop(), b""))
        if tree is None:
            continue
        yield tree
        for name in {n for module in _modules(tree) for n in _files_of(module, files)} - seen:
            seen.add(name)
            todo.append(name)


def _modules(tree: ast.Module) -> set[str]:
    """Dotted names that the import statements of a module may mean a file by."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names)}
    return found - {""}


def _files_of(module: str, files: Mapping[str, bytes]) -> list[str]:
    path = module.replace(".", "/")
    ends = (f"{path}.py", f"{path}/__init__.py")
    return [n for n in files if n in ends or (n.endswith(tuple(f"/{e}" for e in ends)) and not is_test(n))]
