"""The set-up for real: true environments, true pip, true kills."""

import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from chatdev import __version__
from chatdev.errors import UserError
from chatdev.frontdoor import installer, setup, stamp, torch_build
from chatdev.frontdoor.digest import why

from .conftest import BASE, ROOT, environment, make_venv

pytestmark = pytest.mark.slow


@pytest.fixture
def half_made(tmp_path):
    """An environment as an interrupted set-up leaves it: no stamp, one package torn, one half removed."""
    venv = make_venv(tmp_path / "venv", pip=True)
    site = installer.site_packages(venv)
    (site / "torn-1.0.dist-info").mkdir()
    (site / "torn-1.0.dist-info" / "METADATA").write_text("Name: torn\nVersion: 1.0\n", encoding="utf-8")
    (site / "~orn").mkdir()
    return venv


def _hear_ctrl_c():
    """A suite that was started in the background ignores Ctrl-C, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(venv, **more):
    (venv / stamp.LOG).unlink(missing_ok=True)
    return subprocess.Popen(
        [BASE, str(ROOT / "run.py"), "--setup-only"],
        env=environment(venv, **more),
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        start_new_session=os.name == "posix",
        preexec_fn=_hear_ctrl_c if os.name == "posix" else None,
    )


def wait_for_step(venv, step):
    log, until = venv / stamp.LOG, time.monotonic() + 120
    while not (log.exists() and f"[{step}/4]" in log.read_text(encoding="utf-8")):
        assert time.monotonic() < until, f"step {step} was never reached"
        time.sleep(0.02)


def test_two_starts_at_once_mend_a_half_made_environment_once(half_made, run_py):
    both = [start(half_made), start(half_made)]
    told = [child.communicate(timeout=240)[1] for child in both]
    assert [child.returncode for child in both] == [0, 0], told
    assert sum("Ready after" in text for text in told) == 1
    site = installer.site_packages(half_made)
    assert not (site / "torn-1.0.dist-info").exists()
    assert not (site / "~orn").exists()
    assert list(site.glob("chatdev_on_a_stream-*.dist-info"))
    assert "making it anew" not in "".join(told)
    assert run_py("--version", venv=half_made).stdout.strip() == __version__


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_stopped_at_the_worst_moment_and_started_again(half_made):
    first = start(half_made)
    wait_for_step(half_made, 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert stamp.read(half_made) is None

    second = start(half_made)
    wait_for_step(half_made, 3)
    os.killpg(second.pid, signal.SIGINT)  # Ctrl-C reaches pip as well
    told = second.communicate(timeout=60)[1]
    assert second.returncode == 130
    assert "To go on: " in told
    assert "Traceback" not in told
    assert stamp.read(half_made) is None

    third = start(half_made)
    told = third.communicate(timeout=240)[1]
    assert third.returncode == 0, told
    assert stamp.read(half_made)["root"] == str(ROOT)


def test_without_a_network_it_says_so_and_how_to_go_on(half_made):
    dead = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "1",
        "PIP_NO_CACHE_DIR": "1",
    }
    child = start(half_made, **dead)
    told = child.communicate(timeout=240)[1]
    assert child.returncode == 1
    assert "no package index could be reached" in told
    assert "Traceback" not in told
    log, then = told.splitlines()[-2:]
    assert str(half_made / stamp.LOG) in log
    assert "run.py --setup" in then
    assert stamp.read(half_made) is None
    assert "127.0.0.1" in (half_made / stamp.LOG).read_text(encoding="utf-8")


def test_an_index_without_the_cpu_build_leads_to_the_next_try(tmp_path, monkeypatch):
    """What an ordinary index offers: the version, but no `+cpu` (pip words that in more than one way)."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    subprocess.run([BASE, "-m", "venv", str(tmp_path / "venv")], check=True)
    offered = tmp_path / "offered"
    offered.mkdir()
    with zipfile.ZipFile(offered / "torch-2.13.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("torch-2.13.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n")
        wheel.writestr("torch-2.13.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("torch-2.13.0.dist-info/RECORD", "")
    only_there = ["--no-index", "--find-links", str(offered)]
    outcomes = [
        installer.pip(tmp_path / "venv", [*only_there, *way.arguments], Silent(4), None, ROOT)
        for way in torch_build.tries("2.13.0", "linux", gpu=False)
    ]
    assert [outcome.status == 0 for outcome in outcomes] == [False, False, True]
    assert why(outcomes[0].tail).kind in torch_build.tries("2.13.0", "linux", gpu=False)[0].failures


class Silent(setup.Progress):
    def _write(self, text):
        pass


def test_clearing_keeps_the_lock_and_the_log_and_follows_no_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    venv = tmp_path / "venv"
    (venv / "lib" / "deep").mkdir(parents=True)
    for name in (*setup.OURS, "pyvenv.cfg"):
        (venv / name).touch()
    (venv / "link").symlink_to(outside, target_is_directory=True)
    setup.Setup(ROOT, venv, frozenset(), Silent(4), 0, running_inside=False)._clear()
    assert {child.name for child in venv.iterdir()} == set(setup.OURS)
    assert (outside / "precious").exists()


def test_a_python_without_ensurepip_takes_another_tool_or_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "find_spec", lambda name: None)
    tool = tmp_path / ("uv.exe" if os.name == "nt" else "uv")
    tool.write_text("#!/bin/sh\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.venv_command("/usr/bin/python3")[:3] == [str(tool), "venv", "--seed"]
    tool.unlink()
    with pytest.raises(UserError, match=rf"python3\.{sys.version_info[1]}-venv"):
        setup.venv_command("/usr/bin/python3")
