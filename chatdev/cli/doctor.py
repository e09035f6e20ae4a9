"""`doctor`: what this machine has, green or red, each red line with the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click

from chatdev.cli.common import command_name, echo_json, is_there, json_option, out_option, warehouse
from chatdev.errors import UserError

LEAST_DISK = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing this machine has or lacks."""

    thing: str
    ok: bool
    text: str
    fix: str = ""
    needed: bool = True
    """A missing thing that is needed makes the exit status 1."""


@click.command("doctor")
@out_option
@json_option
def doctor_command(out: str | None, as_json: bool) -> int:
    """Say what this machine has: model, endpoint, sandbox, git, disk."""
    found = [_python(), _git(), _model(), *_endpoint(), *_libraries(), *_sandbox(), _disk(warehouse(out))]
    if as_json:
        echo_json([vars(one) for one in found])
    else:
        for one in found:
            colour = "green" if one.ok else "red" if one.needed else "yellow"
            word = "ok     " if one.ok else "missing"
            mark = word if "NO_COLOR" in os.environ else click.style(word, fg=colour)
            click.echo(f"{mark} {one.thing:<14} {one.text}")
            if not one.ok and one.fix:
                click.echo(f"{'':<23}{one.fix.replace('chatdev sandbox', command_name() + ' sandbox')}")
    return 0 if all(one.ok for one in found if one.needed) else 1


def _python() -> Finding:
    return Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _git() -> Finding:
    git = shutil.which("git")
    if git is None:
        return Finding("git", False, "not found", "Install git, for example: apt install git")
    said = subprocess.run([git, "--version"], capture_output=True, text=True, check=False)
    return Finding("git", said.returncode == 0, said.stdout.strip() or "does not answer")


def _model() -> Finding:
    from chatdev.llm.select import resolve

    try:
        return Finding("model", True, f"auto means {resolve('auto')}")
    except UserError as error:
        return Finding("model", False, error.what, error.fix)


def _endpoint() -> list[Finding]:
    """Ask the endpoint that `auto` would use whether it answers; nothing is generated."""
    if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
        return []
    from chatdev.llm.redact import shown_url
    from chatdev.llm.select import open_model, preflight

    where = shown_url(os.environ.get("OPENAI_BASE_URL", "")) or "api.openai.com"
    try:
        model = open_model("auto")
        preflight(model)
        model.close()
    except UserError as error:
        return [Finding("endpoint", False, str(error), error.fix)]
    return [Finding("endpoint", True, f"{where} answers")]


def _libraries() -> list[Finding]:
    """Versions from the metadata; torch itself is far too slow to import for a look."""
    found = []
    for name in ("torch", "transformers", "openai", "docker"):
        try:
            found.append(Finding(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append(Finding(name, False, "not installed", "python run.py --setup-only"))
    return found


def _sandbox() -> list[Finding]:
    from chatdev.sandbox import probe

    probes = list(probe())
    one_is_enough = any(one.ok for one in probes if one.thing != "docker")
    return [Finding(one.thing, one.ok, one.text, one.fix, needed=not one_is_enough) for one in probes]


def _disk(folder: Path) -> Finding:
    there = folder.absolute()
    while not is_there(there.exists):
        there = there.parent
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:,.1f} GB free in {there}"
    return Finding("disk", free >= LEAST_DISK, text, "Free some space, or choose another --out")
