"""How pytest is run in a box: by settings of ours, with a report that only a pytest that came to its end can have made.

Two processes: the second one runs pytest and, in it, the program; the first one fetches the report when the second has
ended. The report is signed with a word that the first one made up, right after pytest has returned. So a report that
the program brings along, or writes before it ends the process or after pytest has ended, is not read.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

KEEPER = """\
import sys
sys.path[:] = [p for p in sys.path if p]
import hashlib, os, secrets, shutil, subprocess, tempfile
def remove(name):
    if os.path.isdir(name) and not os.path.islink(name):
        shutil.rmtree(name)
    elif os.path.lexists(name):
        os.remove(name)
remove("coverage.xml")
with tempfile.TemporaryDirectory() as place:
    for name in ("pytest.ini", "coverage.ini"):
        open(os.path.join(place, name), "w").close()
    word = secrets.token_hex(16)
    done = subprocess.run([sys.executable, "-c", *sys.argv[1:]], input=f"{word} {place}".encode())
    remove("junit.xml")
    try:
        report, signature = (open(os.path.join(place, name), "rb").read() for name in ("junit.xml", "signature"))
    except OSError:
        report, signature = b"", b""
    if signature == hashlib.sha256(word.encode() + report).hexdigest().encode():
        with open(os.path.join(place, "copy"), "wb") as file:
            file.write(report)
        shutil.move(os.path.join(place, "copy"), "junit.xml")
sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)
"""
RUNNER = """\
import sys
sys.path[:] = [p for p in sys.path if p]  # the product's folder comes later: its pytest.py is not the judge
import importlib.util
from hashlib import sha256
if importlib.util.find_spec("pytest") is None:
    sys.exit(77)
import pytest
class Paths:
    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self):  # after the plugins of this box: one that the product brings is none
        sys.path[:0] = [p for p in where.split(":") if p]
where, root, *rest = sys.argv[1:]
sys.argv[1:] = []
def judge(sha256=sha256, open=open, main=pytest.main):
    word, _, place = sys.stdin.read().partition(" ")
    options = ["-c", place + "/pytest.ini", "--rootdir=" + root, "--confcutdir=" + root,
        "--junitxml=" + place + "/junit.xml"]
    if importlib.util.find_spec("pytest_cov"):
        options += ["--cov=.", "--cov-report=xml:coverage.xml", "--cov-config=" + place + "/coverage.ini"]
    code = main(options + rest, plugins=[Paths()])
    with open(place + "/junit.xml", "rb") as report, open(place + "/signature", "w") as file:
        file.write(sha256(word.encode() + report.read()).hexdigest())
    return code
sys.exit(judge())
"""
NO_PYTEST = 77
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--maxfail=30", "--tb=short", "--color=no")
_SECTIONS = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}


def pytest_command(tests: Sequence[str], root: str, start: str, files: Mapping[str, bytes]) -> list[str]:
    """The command that runs these test files. `root`: the folder their names in the report are relative to; `start`:
    the folder of the product's entry point. Of the product's own settings only those are taken that say how its
    modules are found and run, none that choose tests.
    """
    settings = _settings(files)
    paths = [".", start, *_sources(files), *(p for p in settings.get("pythonpath", "").split() if _inside(p))]
    mode = settings.get("asyncio_mode", "")
    extra = ["-o", f"asyncio_mode={mode}"] if re.fullmatch(r"[a-z]{1,10}", mode) else []
    names = [name if name.startswith(".") else f"./{name}" for name in tests]
    where = ":".join(dict.fromkeys(paths))
    return ["python3", "-c", KEEPER, RUNNER, where, root, *_OPTIONS, *extra, *names]


def _sources(files: Mapping[str, bytes]) -> list[str]:
    """The folder of sources, where it is not itself a package."""
    packaged = "src/__init__.py" in files
    return ["src"] if not packaged and any(n.startswith("src/") and n.endswith(".py") for n in files) else []


def _inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in PurePosixPath(path).parts and ":" not in path


def _settings(files: Mapping[str, bytes]) -> dict[str, str]:
    """The product's settings of pytest, from the first file that has some."""
    for name, section in _SECTIONS.items():
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(files.get(name, b"").decode("utf-8", "replace"))
        except (configparser.Error, ValueError):
            continue
        if parser.has_section(section):
            return dict(parser.items(section))
    return _from_pyproject(files.get("pyproject.toml", b""))


def _from_pyproject(data: bytes) -> dict[str, str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        found: Any = tomllib.loads(data.decode("utf-8", "replace"))
        for key in ("tool", "pytest", "ini_options"):
            found = found.get(key, {})
        return {k: " ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in found.items()}
    except (ValueError, AttributeError):
        return {}
