"""run.py as a person meets it: old Pythons, other people's Pythons, the way into the environment."""

import ast
import os
import subprocess
import sys

import pytest

from chatdev import __version__
from chatdev.frontdoor import stamp

from .conftest import BASE, ROOT, environment, make_venv


@pytest.fixture(scope="module")
def ready_venv(tmp_path_factory):
    """An environment with a valid stamp."""
    venv = make_venv(tmp_path_factory.mktemp("door") / "with space", pip=False)
    stamp.write(ROOT, venv, frozenset(), sys.version_info[:2], stamp.fingerprint(ROOT))
    return venv


def test_it_parses_on_python_36():
    source = (ROOT / "run.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "__future__" not in source  # its import of annotations is a syntax error before 3.7


def test_an_old_python_is_told_so_in_one_line():
    program = "import sys, runpy; sys.version_info = (3, 9, 1); runpy.run_path('run.py', run_name='__main__')"
    done = subprocess.run([BASE, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs Python 3.10 or newer, and this is Python 3.9" in done.stderr


def test_a_ready_environment_is_entered_and_gets_the_arguments(run_py, ready_venv):
    done = run_py("--version", venv=ready_venv)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, __version__, "")


def test_the_exit_code_is_the_programs(run_py, ready_venv):
    assert run_py("no-such-command", venv=ready_venv).returncode == 2


def test_flags_of_the_interpreter_survive(ready_venv):
    done = subprocess.run(
        [BASE, "-X", "importtime", str(ROOT / "run.py"), "--version"],
        env=environment(ready_venv),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "| click" in done.stderr or "| chatdev.cli" in done.stderr  # imported inside, so traced inside


def test_a_stranger_in_the_current_folder_is_not_imported(ready_venv, tmp_path):
    for name in ("chatdev.py", "click.py", "hashlib.py", "pathlib.py"):
        (tmp_path / name).write_text("raise SystemExit('hostile code ran')", encoding="utf-8")
    done = subprocess.run(
        [BASE, str(ROOT / "run.py"), "--version"],
        cwd=tmp_path,
        env=environment(ready_venv),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == __version__, done.stderr


def test_setup_only_on_a_ready_environment_says_nothing(run_py, ready_venv):
    done = run_py("--setup-only", venv=ready_venv)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_knows_only_dev(run_py, ready_venv):
    done = run_py("--setup", "everything", venv=ready_venv)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_no_venv_uses_this_python():
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "--version"],
        env=environment(None, CHATDEV_NO_VENV="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == __version__


def test_no_venv_without_the_libraries_says_what_to_do():
    done = subprocess.run(
        [BASE, "-S", str(ROOT / "run.py"), "--version"],
        env=environment(None, CHATDEV_NO_VENV="1", PYTHONPATH=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install -c constraints.txt -e ." in done.stderr


def test_a_folder_of_somebody_elses_is_left_alone(run_py, tmp_path):
    diary = tmp_path / "diary.txt"
    diary.write_text("mine", encoding="utf-8")
    done = run_py("--setup-only", venv=tmp_path)
    assert done.returncode == 1
    assert "not a virtual environment" in done.stderr
    assert [child.name for child in tmp_path.iterdir()] == ["diary.txt"]


@pytest.mark.skipif(os.name != "posix", reason="PYTHONHOME breaks a Windows environment earlier")
def test_an_environment_that_cannot_be_entered_does_not_start_for_ever(run_py, ready_venv, tmp_path):
    lookalike = make_venv(tmp_path / "lookalike", pip=False)
    (lookalike / "bin" / "python").unlink()
    (lookalike / "bin" / "python").write_text(f'#!/bin/sh\nexec "{BASE}" "$@"\n', encoding="utf-8")
    (lookalike / "bin" / "python").chmod(0o755)
    stamp.write(ROOT, lookalike, frozenset(), sys.version_info[:2], stamp.fingerprint(ROOT))
    done = run_py("--version", venv=lookalike)
    assert done.returncode == 1
    assert "does not run inside" in done.stderr
