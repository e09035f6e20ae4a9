#!/usr/bin/env python3
"""The front door: one command on a machine that has only Python and git.

Contract: the first start makes the environment (`.venv` beside this file), later starts only look at its
stamp. Either way this file then runs again inside that environment and hands the untouched arguments to
`chatdev.cli`. Until then it uses the standard library alone, and says everything on stderr, so that `--json`
stays clean.

    run.py --setup-only        make or repair the environment and stop
    run.py --setup dev         the same with the development tools (linter, type checker, test runner)
    CHATDEV_VENV=FOLDER        keep the environment there instead
    CHATDEV_NO_VENV=1          use the Python that is running, which must have the libraries already

The file has to parse on Python 3.6, or an old Python could not be told what it lacks.
"""

import os
import sys

if sys.version_info < (3, 10):  # noqa: UP036 - that is what this file is for
    sys.stderr.write(
        "chatdev needs Python 3.10 or newer, and this is Python %d.%d (%s). "  # noqa: UP031 - see the line above
        "Install a newer one and start with it: python3.12 run.py\n" % (*sys.version_info[:2], sys.executable)
    )
    sys.exit(1)

from pathlib import Path

from chatdev.frontdoor import stamp

SWITCHES = ("--setup", "--setup-only")
GUARD = "CHATDEV_FRONT_DOOR"


def main() -> int:
    """Set up if needed, step into the environment, run the program; returns its exit code."""
    root = Path(__file__).resolve().parent
    if os.environ.get("CHATDEV_NO_VENV", "") not in ("", "0"):
        return hand_over(own_python=True)
    venv = Path(os.environ.get("CHATDEV_VENV") or root / ".venv").absolute()
    inside = os.path.realpath(sys.prefix) == os.path.realpath(venv)
    came_from_door = os.environ.pop(GUARD, None) == str(venv)
    only = sys.argv[1:2] != [] and sys.argv[1] in SWITCHES
    if only and sys.argv[2:] not in ([], ["dev"]):
        sys.stderr.write(f"usage: python run.py {sys.argv[1]} [dev]\n")
        return 2
    extras = frozenset(sys.argv[2:]) if only else frozenset()
    state = stamp.state(root, venv, extras, running=sys.version_info[:2] if inside else None)
    if not state.ready:
        from chatdev.frontdoor.setup import set_up

        code = set_up(root, venv, extras, running_inside=inside)
        if code:
            return code
    if only:
        return 0
    if inside and state.ready:
        return hand_over(own_python=False)
    if came_from_door and not inside:  # without this a strange PYTHONHOME would make us start for ever
        sys.stderr.write(f"chatdev: {stamp.python_of(venv)} does not run inside {venv}. Is PYTHONHOME set?\n")
        return 1
    return step_inside(venv)


def step_inside(venv: Path) -> int:
    """Run this file again with the environment's Python, with the same flags and arguments."""
    command = [str(stamp.python_of(venv)), *sys.orig_argv[1:]]
    os.environ[GUARD] = str(venv)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(command[0], command)
    import subprocess  # Windows: execv would return to the prompt while the program is still running

    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the console tells the child as well, and the child decides what it means
            continue


def hand_over(own_python: bool) -> int:
    """The program itself. With `own_python` a missing library is told in one line, for no set-up has run."""
    # What the program tells people to type next.
    os.environ.setdefault("CHATDEV_COMMAND", "python run.py")
    try:
        from chatdev.cli import main as program
    except ModuleNotFoundError as missing:
        if not own_python or (missing.name or "").startswith("chatdev"):
            raise
        sys.stderr.write(
            f"chatdev: {sys.executable} has no module {missing.name!r}, and CHATDEV_NO_VENV says to use it. "
            f'Next: "{sys.executable}" -m pip install -c constraints.txt -e .\n'
        )
        return 1
    program()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
