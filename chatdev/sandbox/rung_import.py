"""Rung 2: every module of the product imports in the box, one process each; scripts of web products are checked by
Node.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from chatdev.sandbox.bundle import Bundle, bundle_of
from chatdev.sandbox.entry import Entry, acts, imports, is_test, parse
from chatdev.sandbox.job import WORK, Run, Step
from chatdev.sandbox.languages import TEST_FOLDERS
from chatdev.sandbox.missing import explain, requirements_of, say_missing, wanted
from chatdev.sandbox.report import Rung
from chatdev.sandbox.rung_parse import is_template, read_page
from chatdev.sandbox.traces import last_error, plain

PREFIX = "import:"
NAMED = "import:names"
IMPORT = "import importlib, sys; sys.path[:0] = sys.argv[2:]; importlib.import_module(sys.argv[1])"
NAMES = """\
import importlib.util, json, sys
sys.path[:0] = sys.argv[1].split(":")
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
print(json.dumps([n for n in sys.argv[2:] if not there(n)]))
"""
"""Which top-level names cannot be found at all; nothing of the product is run for it."""
MANY = """\
import subprocess, sys
where, names = sys.argv[2].split(":"), sys.argv[3:]
for name in names:
    command = [sys.executable, "-c", sys.argv[1], name, *where]
    try:
        done = subprocess.run(command, timeout=15, stderr=subprocess.PIPE, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        continue
    if done.returncode < 0:
        done.stderr += f"Traceback (most recent call last):\\nSystemError: it ended with signal {-done.returncode}\\n"
    if done.returncode and ("Traceback" in done.stderr or "SyntaxError" in done.stderr):
        sys.exit(done.stderr + name)
"""
"""Import several modules, each in a process of its own; the first that fails stands in the last line."""
MAX_MODULES = 60
"""Modules that have a step of their own; the rest go together."""
TOGETHER = 30
MAX_SCRIPTS = 200
SECONDS = 15.0
MORE = " more modules"
SCRIPTS = (".js", ".mjs", ".cjs", ".html", ".htm")


def import_steps(files: Mapping[str, bytes], entry: Entry | None) -> tuple[list[Step], Bundle | None, list[str]]:
    """(steps, scripts to be put beside the product, notes on what is not tried)."""
    steps, notes = _python(files, entry)
    scripts = _scripts(files)
    if len(scripts) > MAX_SCRIPTS:
        notes.append(f"only the first {MAX_SCRIPTS} of {len(scripts)} scripts are checked")
    scripts = scripts[:MAX_SCRIPTS]
    steps += [
        Step(f"{PREFIX}{label}", ["node", "--check", f"../scripts/{name}"], seconds=SECONDS)
        for label, name, _ in scripts
    ]
    extra = bundle_of({name: data for _, name, data in scripts}) if scripts else None
    return steps, extra, notes


def trees_of(files: Mapping[str, bytes]) -> dict[str, ast.Module]:
    """Syntax trees of the product's Python files."""
    return {n: t for n, d in sorted(files.items()) if n.endswith(".py") and (t := parse(d)) is not None}


def judge_imports(runs: Sequence[Run], files: Mapping[str, bytes], notes: Sequence[str]) -> Rung:
    """One rung from the runs of `import_steps`."""
    seconds = sum(r.seconds for r in runs)
    if not runs:
        return Rung("import", "skipped", "there is no module to import", "\n".join(notes))
    broken, reasons = _absent(runs, files)
    named = len(broken)
    for run in runs:
        if run.name == NAMED:
            continue
        wrong = _wrong(run, files)
        if wrong:
            reasons.append(f"{_culprit(run)}: {wrong}")
            broken.append(f"{reasons[-1]}\n{plain(run.stderr.text)[-1500:]}")
    slow = [r for r in runs if r.name.endswith(MORE) and r.limit == "time"]
    unable = [r for r in runs if r.exit_code is None and r.error.startswith("cannot start")]
    if unable and not broken:
        return Rung("import", "unverified", f"{unable[0].error}", "\n".join(notes), seconds=seconds)
    if named and len(broken) > named:  # the tracebacks repeat what is said about the names, unless nothing else failed
        broken = [b for b in broken if not any(f"No module named '{r.split()[0]}" in b for r in reasons[:named])]
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return Rung("import", "failed", reasons[0] + more, "\n\n".join(broken[:6]), seconds=seconds)
    if slow:
        summary = f"{len(slow)} groups of modules could not be imported in {SECONDS * 4:.0f} s each"
        return Rung("import", "unverified", summary, "\n".join(notes), seconds=seconds)
    return Rung(
        "import",
        "passed",
        _count([r for r in runs if r.name != NAMED]),
        "\n".join(notes),
        seconds=seconds,
    )


def _culprit(run: Run) -> str:
    """The file that was tried, or of several modules the one that failed."""
    last = plain(run.stderr.text).strip().rpartition("\n")[2]
    return last if run.name.endswith(MORE) and re.fullmatch(r"[\w.]{1,200}", last) else _label(run)


def _label(run: Run) -> str:
    return run.name[len(PREFIX) :]


def _count(runs: Sequence[Run]) -> str:
    scripts = sum(r.name.endswith(SCRIPTS) for r in runs)
    modules = sum(int(_label(r).removesuffix(MORE)) if r.name.endswith(MORE) else 1 for r in runs) - scripts
    parts = [f"{modules} module{'s import' if modules != 1 else ' imports'}"] if modules else []
    parts += [f"{scripts} script{'s' if scripts != 1 else ''} checked"] if scripts else []
    return ", ".join(parts) or "every imported name is there"


def _absent(runs: Sequence[Run], files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Names that cannot be found: (details, reasons)."""
    run = next((r for r in runs if r.name == NAMED), None)
    try:
        told = json.loads(run.stdout.text) if run else []
    except (ValueError, RecursionError):
        return [], []
    names = [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
    places = wanted(trees_of(files))
    reasons = [
        f"{name} (imported by {places[name]}): {say_missing(name, files, requirements_of(files))}"
        for name in names
        if name in places
    ]
    return list(reasons), reasons


def _wrong(run: Run, files: Mapping[str, bytes]) -> str:
    """What is wrong with an import, or "". A module that only ends the process or runs on is left to the start rung."""
    if run.error:
        return "" if run.error.startswith("cannot start") else run.error
    if run.limit and run.limit != "time":
        return f"importing it ran into the {run.limit} limit"
    stderr = run.stderr.text
    if run.exit_code in (0, None):
        return ""
    if run.name.endswith(SCRIPTS):
        return last_error(stderr) or f"node says exit {run.exit_code}"
    if "Traceback (most recent call last)" in stderr or "SyntaxError" in stderr:
        why = explain(stderr, files, requirements_of(files))
        error = last_error(stderr)
        return f"{error} -> {why}" if why else error
    return (
        f"importing it ended the process with signal {-run.exit_code}"
        if run.exit_code is not None and run.exit_code < 0
        else ""
    )


def _python(files: Mapping[str, bytes], entry: Entry | None) -> tuple[list[Step], list[str]]:
    trees = trees_of(files)
    used = {module for tree in trees.values() for module in _named(tree)}
    start = entry.root if entry else "."
    steps: list[Step] = []
    notes: list[str] = []
    where = _relative([WORK if start == "." else f"{WORK}/{start}", WORK])
    modules: list[tuple[str, str]] = []
    for name, tree in sorted(trees.items()):
        path = PurePosixPath(name)
        if (
            (entry and name == entry.file)
            or is_test(name, files[name])
            or path.parts[0] in TEST_FOLDERS
            or path.name in ("setup.py", "__main__.py")
        ):
            continue
        if path.stem not in used and acts(tree):
            notes.append(f"{name}: not tried, it acts when imported and nothing imports it")
            continue
        module = _module(path, start, files)
        if module is None:
            notes.append(f"{name}: not tried, its path is no module name")
            continue
        modules.append((name, module))
    names = sorted(wanted({n: t for n, t in trees.items() if not is_test(n, files[n])}))
    if names:
        steps.append(Step(NAMED, ["python3", "-c", NAMES, ".:" + start, *names], seconds=SECONDS))
    for name, module in modules[:MAX_MODULES]:
        command = ["python3", "-c", IMPORT, module, *where]
        steps.append(Step(f"{PREFIX}{name}", command, seconds=SECONDS, fresh=False))
    rest = [module for _, module in modules[MAX_MODULES:]]
    for at in range(0, len(rest), TOGETHER):
        some = rest[at : at + TOGETHER]
        command = ["python3", "-c", MANY, IMPORT, ":".join(where), *some]
        steps.append(Step(f"{PREFIX}{len(some)}{MORE}", command, seconds=SECONDS * 4, fresh=False))
    return steps, notes


def _relative(where: list[str]) -> list[str]:
    """The work directory is the current one in every engine."""
    return [w.replace(WORK, ".", 1) for w in where]


def _module(path: PurePosixPath, start: str, files: Mapping[str, bytes]) -> str | None:
    parts = list(path.with_suffix("").parts)
    root = [] if start == "." else list(PurePosixPath(start).parts)
    if root and parts[: len(root)] == root and f"{start}/__init__.py" not in files:
        parts = parts[len(root) :]
    elif parts[0] == "src" and "src/__init__.py" not in files and len(parts) > 1:
        return None if not root else ".".join(parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if parts and all(re.fullmatch(r"[^\W\d]\w*", p) for p in parts) else None


def _named(tree: ast.Module) -> set[str]:
    """Every name that an import statement of a module may mean a file by."""
    found = imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names} | {(node.module or "").rpartition(".")[2]}
        elif isinstance(node, ast.Import):
            found |= {alias.name.rpartition(".")[2] for alias in node.names}
    return found


def _scripts(files: Mapping[str, bytes]) -> list[tuple[str, str, bytes]]:
    """JavaScript to be checked: (label, file name beside the product, text). Modules get the suffix Node knows them
    by.
    """
    found: list[tuple[str, str, bytes]] = []
    for name, data in sorted(files.items()):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in (".js", ".mjs", ".cjs"):
            module = suffix == ".mjs" or (
                suffix == ".js" and re.search(rb"^\s*(import\s.+from\s|import\s*['\"{*]|export\s)", data, re.M)
            )
            found.append((name, f"{len(found)}{'.mjs' if module else '.cjs'}", data))
        elif suffix in (".html", ".htm") and not is_template(name, files):
            for line, module, text in read_page(data).scripts[:MAX_MODULES]:  # padded, thousands would fill the memory
                padded = "\n" * (line - 1) + text  # so that Node's line numbers are the page's
                found.append(
                    (f"{name}", f"{len(found)}{'.mjs' if module else '.cjs'}", padded.encode("utf-8", "replace"))
                )
    return found
