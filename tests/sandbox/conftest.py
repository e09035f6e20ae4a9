"""Engines for the tests. A test marked `docker` fails in CI when there is no engine, and is skipped elsewhere."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chatdev.errors import UserError
from chatdev.sandbox import SandboxConfig, climb, open_engine

PROGRAMS = Path(__file__).parent / "programs"


def engine_or_stop(name, **settings):
    try:
        return open_engine(SandboxConfig.parse({"engine": name, **settings}), run_id="tests")
    except UserError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is needed in CI: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def docker():
    """A real Docker engine with settings that keep the tests short."""
    return engine_or_stop("docker", seconds=20, start_seconds=5, quiet_seconds=6)


@pytest.fixture(scope="session", params=[pytest.param("docker", marks=pytest.mark.docker), "bubblewrap"])
def boxed(request):
    """Both engines that have walls."""
    return engine_or_stop(request.param, seconds=20, start_seconds=5, quiet_seconds=6)


@pytest.fixture
def product(tmp_path):
    """Write a product from a mapping of paths to texts (or bytes) and return its folder."""

    def write(files, name="product"):
        folder = tmp_path / name
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    return write


@pytest.fixture
def program(tmp_path):
    """A copy of one of the programs of `tests/sandbox/programs`."""

    def copy(name):
        return Path(shutil.copytree(PROGRAMS / name, tmp_path / name))

    return copy


@pytest.fixture
def processes():
    """The command lines of every process of this machine."""

    def listed():
        return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    return listed


@pytest.fixture
def rungs(boxed, product, tmp_path):
    """Climb with files; returns the report and its rungs by name."""

    def go(files, **options):
        config = boxed.config.with_(start_seconds=3.0, quiet_seconds=4.0)
        report = climb(product(files), boxed, config, evidence=tmp_path / "evidence", **options)
        return report, {r.name: r for r in report.rungs}

    return go
