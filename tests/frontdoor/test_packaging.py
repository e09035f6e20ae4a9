"""pyproject.toml, the lock file and the wheel agree with each other and with the code."""

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata

import pytest

from chatdev.frontdoor.setup import MODULES

from .conftest import ROOT, environment, make_venv

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements):
    return {plain(re.match(r"[\w.-]+", line)[0]) for line in requirements}


LOCK = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_the_lock_pins_every_dependency_exactly():
    assert all(re.match(r"[\w.-]+==[\w.]+( ; .+)?$", line) for line in LOCK)
    asked = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["dev"])
    assert asked <= names(LOCK)


def test_the_lock_fits_both_builds_of_pytorch():
    assert "torch==2.13.0" in LOCK
    assert not [line for line in LOCK if re.match(r"nvidia-|cuda-|triton", line)]


def test_the_lock_is_what_runs_here():
    """Only the development environment has to agree; a user may run the suite in another one."""
    if os.environ.get("CHATDEV_NO_VENV"):
        pytest.skip("not the environment of the front door")
    from packaging.requirements import Requirement

    for line in LOCK:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            continue  # of a platform that the marker does not tell apart
        assert wanted.specifier.contains(version, prereleases=True), f"{wanted.name} {version}, locked: {line}"


def test_the_set_ups_check_loads_a_module_of_every_dependency():
    for name in names(line for line in PROJECT["dependencies"] if "python_version" not in line):
        files = metadata.files(name) or []
        assert {file.parts[0].removesuffix(".py") for file in files} & set(MODULES), name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=240, stdin=subprocess.DEVNULL)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_what_a_company_needs_and_nothing_else(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    data = {path for path in listed.splitlines() if path.endswith((".yaml", ".yml")) and "/" in path}
    data = {path for path in data if path.split("/")[0] not in ("chatdev", "tests", "docs", "benchmarks")}
    assert {path.split("/")[0] for path in data} >= {"roles", "phases", "company_configs"}
    assert {f"chatdev/library/{path}" for path in data} <= inside
    assert {path for path in listed.splitlines() if path.startswith("chatdev/")} <= inside
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"chatdev", "chatdev_on_a_stream"}
    assert [name for name in inside if name.endswith(".dist-info/licenses/LICENSE")]


@pytest.mark.slow
def test_the_installed_command_works_in_any_folder(wheel, tmp_path):
    venv = make_venv(tmp_path / "venv", pip=True)
    folder = venv / ("Scripts" if os.name == "nt" else "bin")
    install = [
        folder / "python",
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--quiet",
        "--no-index",
        "--force-reinstall",
    ]
    subprocess.run([*install, "--find-links", wheel.parent, wheel], check=True, timeout=120)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def chatdev(*arguments):
        return subprocess.run(
            [folder / "chatdev", *arguments],
            cwd=elsewhere,
            env=environment(None, PYTHONPATH=""),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    where = subprocess.run(
        [folder / "python", "-c", "import chatdev; print(chatdev.__file__)"],
        cwd=elsewhere, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(venv) in where, "the checkout would be tested, not the wheel"
    shown = chatdev("--help")
    assert shown.returncode == 0, shown.stderr
    assert "run" in shown.stdout
    checked = chatdev("check", "default")
    assert checked.returncode == 0, checked.stderr
    schema = chatdev("schema", "role")
    assert schema.returncode == 0, schema.stderr
    assert json.loads(schema.stdout)["type"] == "object"
    built = chatdev("--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", "--json")
    assert built.returncode == 3, built.stderr  # built, and nobody has looked whether it works
    assert list(elsewhere.glob("warehouse/*/main.py"))
