"""Making and repairing the environment.

Contract: `set_up` leaves a complete, checked and stamped environment, or says in one block what stopped it
and which command goes on, and returns the exit code. It may be killed at any moment: the stamp is taken away
first and written last, and the next start mends what is there or makes it anew. Two at once do the work once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from chatdev.errors import UserError
from chatdev.frontdoor import installer, stamp, torch_build
from chatdev.frontdoor.digest import Digest, why
from chatdev.frontdoor.lock import held
from chatdev.frontdoor.progress import Progress

STEPS = 4
# One module of each dependency in pyproject.toml (a test compares the two).
MODULES = (
    "click",
    "docker",
    "jinja2",
    "openai",
    "PIL",
    "pydantic",
    "pygments",
    "yaml",
    "rich",
    "safetensors",
    "starlette",
    "torch",
    "transformers",
    "uvicorn",
)
OURS = (stamp.LOCK, stamp.LOG)


class Broken(UserError):
    """The environment is there but does not work."""


def set_up(root: Path, venv: Path, extras: frozenset[str], running_inside: bool) -> int:
    """Make the environment `venv` fit the project in `root`; returns 0, 1 (told why) or 130 (Ctrl-C).

    Args:
        root: the project folder.
        venv: the environment's folder; made, mended or made anew.
        extras: extras of the package to install as well.
        running_inside: this interpreter is the environment's own.
    """
    progress = Progress(STEPS)
    command = " ".join(["python" if os.name == "nt" else "python3", "run.py --setup", *sorted(extras)])
    try:
        _refuse_strangers_folder(venv)
        venv.mkdir(parents=True, exist_ok=True)
        with held(venv / stamp.LOCK, lambda: progress.busy("another start is setting up here; waiting for it")) as lock:
            running = sys.version_info[:2] if running_inside else None
            state = stamp.state(root, venv, extras, running)
            if not state.ready:
                progress.keep_log(venv / stamp.LOG)
                Setup(root, venv, state.extras | extras, progress, lock, running_inside).make(state)
    except KeyboardInterrupt:
        progress.say(f"Set-up stopped; what is done is kept. To go on: {command}")
        return 130
    except PermissionError as error:
        progress.say(f"chatdev: {error.filename}: may not be written. Set CHATDEV_VENV to a folder of yours.")
        return 1
    except UserError as error:
        progress.say(f"chatdev: {error}\n  log:  {venv / stamp.LOG}\n  then: {command}")
        return 1
    finally:
        progress.close()
    return 0


def _refuse_strangers_folder(venv: Path) -> None:
    """Nothing is ever cleared or installed in a folder that is not an environment."""
    if venv.is_dir() and not (venv / "pyvenv.cfg").exists() and not (venv / stamp.LOCK).exists():
        if any(venv.iterdir()):
            raise UserError("not a virtual environment, and not empty", where=str(venv), fix="Move it away")
    elif venv.exists() and not venv.is_dir():
        raise UserError("not a folder", where=str(venv), fix="Move it away")


class Setup:
    """One set-up, by the holder of the lock."""

    def __init__(
        self,
        root: Path,
        venv: Path,
        extras: frozenset[str],
        progress: Progress,
        lock: int,
        running_inside: bool,
    ) -> None:
        self.root, self.venv, self.extras = root, venv, extras
        self.progress, self.lock, self.running_inside = progress, lock, running_inside
        self.python = stamp.python_of(venv)

    def make(self, state: stamp.State) -> None:
        """Mend or make the environment, check it, stamp it.

        Raises:
            UserError: something that the user can fix.
        """
        made_from = stamp.fingerprint(self.root)
        self.progress.say(f"Setting up chatdev in {self.venv}: {state.reason}.")
        stamp.remove(self.venv)
        mend = not state.rebuild and self._version() is not None
        try:
            self._steps(rebuild=not mend)
        except Broken as fault:
            if not mend:
                raise
            self.progress.say(f"      mending did not do ({fault.what}); making it anew")
            self._steps(rebuild=True)
        version = self._version()
        if version is None:
            raise Broken("the new environment's Python does not start", where=str(self.python))
        stamp.write(self.root, self.venv, self.extras, version, made_from)
        self.progress.say(f"Ready after {self.progress.seconds:.0f} s. The next start skips all this.")

    def _steps(self, rebuild: bool) -> None:
        self.progress.number = 0
        self.progress.step("Virtual environment")
        if rebuild:
            self._clear()
            self._create()
        else:
            for name in installer.drop_torn(self.venv):
                self.progress.record(f"forgot {name}: its installation was cut short")
        self._install_torch()
        self.progress.step("chatdev and its libraries")
        wanted = f".[{','.join(sorted(self.extras))}]" if self.extras else "."
        self._pip(["-c", "constraints.txt", "-e", wanted])
        self.progress.step("Check that everything loads")
        # What a local model needs comes first: it is compiled and looked up now, not while somebody waits for a word.
        first = "from chatdev.llm.local.lean import import_transformers as load; load()"
        program = f"{first}; import {', '.join(MODULES)}, transformers.models.llama.modeling_llama"
        done = self._run([str(self.python), "-c", program], "loading every library once")
        if done.status:
            raise Broken(f"a library does not load: {done.tail[-1] if done.tail else done.status}")

    def _version(self) -> tuple[int, ...] | None:
        """The environment's Python version; None when it or its pip does not start, or it is too old."""
        probe = "import sys, pip; print(*sys.version_info[:2])"
        try:
            told = subprocess.run(
                [str(self.python), "-c", probe], capture_output=True, text=True, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            return None
        version = tuple(int(number) for number in told.stdout.split())
        return version if version >= (3, 10) else None

    def _clear(self) -> None:
        """Empty the folder, but for the lock that we hold and the log that we write."""
        if self.running_inside and os.name == "nt":
            raise UserError("cannot be made anew while its own Python runs", where=str(self.venv), fix="Delete it")
        for child in self.venv.iterdir():
            if child.name in OURS:
                continue
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()

    def _create(self) -> None:
        base = getattr(sys, "_base_executable", sys.executable) if self.running_inside else sys.executable
        done = self._run([*venv_command(base), str(self.venv)], "making it")
        if done.status or self._version() is None:
            self._show(done.tail)
            raise UserError(
                "the virtual environment could not be made", where=str(self.venv), fix="Read the lines above"
            )

    def _install_torch(self) -> None:
        wanted = torch_build.version(self.root / "constraints.txt")
        site = installer.site_packages(self.venv)
        if site and (any(site.glob(f"torch-{wanted}.dist-info")) or any(site.glob(f"torch-{wanted}+*.dist-info"))):
            self.progress.step(f"PyTorch {wanted} is there")
            return
        ways = torch_build.tries(wanted, sys.platform, torch_build.has_gpu())
        self.progress.step(f"PyTorch {wanted}, {ways[0].label}")
        for number, way in enumerate(ways):
            if number:
                self.progress.say(f"      not found; next: {way.label}")
            free = shutil.disk_usage(self.venv).free // 1_000_000
            if free < way.megabytes:
                what = f"{free} MB are free, and {way.megabytes} MB are needed ({way.label})"
                raise UserError(what, where=str(self.venv), fix="Free some space or set CHATDEV_VENV to another disk")
            done = self._pip(way.arguments, way.failures)
            if not done.status:
                return

    def _pip(self, arguments: list[str], tolerated: tuple[str, ...] = ()) -> installer.Outcome:
        """Run pip; a failure is an error unless its cause is one of `tolerated`."""
        done = installer.pip(self.venv, arguments, self.progress, self.lock, self.root)
        if done.status and (cause := why(done.tail)).kind not in tolerated:
            self._show(done.tail)
            where = f"step {self.progress.number} of {STEPS}, {self.progress.title}"
            raise UserError(cause.what, where=where, fix=f"{cause.fix}.")
        return done

    def _run(self, command: list[str], text: str) -> installer.Outcome:
        return installer.run(command, self.progress, self.lock, self.root, Digest(None, text))

    def _show(self, tail: list[str]) -> None:
        self.progress.say("\n".join(f"  | {line}" for line in tail))


def venv_command(base: str) -> list[str]:
    """The command that makes an environment, but for its folder: venv, else virtualenv or uv.

    Raises:
        UserError: this Python comes without `ensurepip` (Debian keeps it in a package of its own), and
            there is neither of the others.
    """
    if find_spec("venv") and find_spec("ensurepip"):
        return [base, "-m", "venv"]
    if find_spec("virtualenv"):
        return [base, "-m", "virtualenv", "--python", base]
    if tool := shutil.which("virtualenv"):
        return [tool, "--python", base]
    if tool := shutil.which("uv"):
        return [tool, "venv", "--seed", "--allow-existing", "--python", base]
    package = f"python3.{sys.version_info[1]}-venv"
    fix = f"Install {package}, or uv"
    if shutil.which("apt-get"):
        fix = f"{'' if installer.is_root() else 'sudo '}apt-get install {package}"
    raise UserError("this Python cannot make virtual environments", where=base, fix=fix)
