"""Between parse and import: what requirements.txt names is fetched by an installer that never sees the product."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from chatdev.sandbox.bundle import bundle_of
from chatdev.sandbox.deps import Ask
from chatdev.sandbox.engine import Engine
from chatdev.sandbox.job import Job, Step
from chatdev.sandbox.missing import requirements_of
from chatdev.sandbox.report import Rung
from chatdev.sandbox.requirements import Wanted, canonical, read_requirements

LIST = """\
import importlib.metadata as m, json
print(json.dumps(sorted({d.metadata["Name"] for d in m.distributions() if d.metadata["Name"]})))
"""
_present: dict[str, frozenset[str]] = {}


def present_packages(engine: Engine) -> frozenset[str]:
    """Canonical names of the packages every box of this engine has; asked once for each image."""
    name = f"{engine.name}/{getattr(engine, 'image', '')}"
    if name not in _present:
        step = Step("list", ["python3", "-c", LIST], seconds=30)
        run = engine.perform(Job(bundle_of({}), (step,)))[0]
        try:
            _present[name] = frozenset(canonical(n) for n in json.loads(run.stdout.text))
        except ValueError:
            return frozenset()
    return _present[name]


def install_rung(files: Mapping[str, bytes], engine: Engine, ask: Ask | None = None) -> tuple[Rung | None, str | None]:
    """Returns (the rung, or None without a requirements.txt; the place of the dependencies, or None).

    `ask` is the person, asked about packages nobody here knows; without one those are left out.
    """
    text = requirements_of(files)
    if not text.strip():
        return _others(files), None
    if not engine.config.install:
        return None, None
    wanted = read_requirements(text, present_packages(engine))
    strangers = list(wanted.unknown)
    if strangers and not (ask is not None and ask(strangers)):
        wanted = wanted.without(strangers)
    else:
        strangers = []
    details = "\n".join([*wanted.refused, *wanted.left_out])
    if not wanted.install:
        return _judge(wanted, strangers, "skipped", "nothing has to be installed", details), None
    done = engine.install(wanted)
    if done.unreachable:  # the import rung tells whether anything is missing
        return _judge(wanted, strangers, "skipped", f"not installed: {done.text}", details), None
    return _judge(wanted, strangers, "passed" if done.ok else "failed", done.text, details), done.place


_OTHERS = {
    "package.json": r'"dependencies"\s*:\s*\{\s*"',
    "pom.xml": r"<dependency>",
    "build.gradle": r"^\s*(?:implementation|api|compile)\b",
    "build.gradle.kts": r"^\s*(?:implementation|api)\b",
    "Cargo.toml": r"^\[dependencies\]\s*\n\s*[\w\"-]+\s*=",
    "go.mod": r"^require\b",
}
"""Files that ask for packages of other languages, and how that shows."""


def _others(files: Mapping[str, bytes]) -> Rung | None:
    """Says that packages of other languages are not installed, where a product asks for some."""
    for name, pattern in _OTHERS.items():
        if re.search(pattern, files.get(name, b"").decode("utf-8", "replace"), re.MULTILINE):
            summary = f"{name} asks for packages: only Python's are installed here; use what comes with the language"
            return Rung("install", "skipped", summary)
    return None


def _judge(wanted: Wanted, strangers: list[str], state: str, summary: str, details: str) -> Rung:
    lines = [line for line in wanted.refused if line.partition(":")[0] not in strangers]
    if state == "failed":
        return Rung("install", "failed", summary, details)
    if lines:
        return Rung("install", "failed", lines[0], details)
    if strangers:
        return Rung(
            "install", "unverified", f"nobody here knows {', '.join(strangers)}, and nobody agreed to it", details
        )
    return Rung("install", "passed" if state == "passed" else "skipped", summary, details)
