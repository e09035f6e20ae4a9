"""The stamp: what makes an environment ready, and everything that makes it stale."""

import sys

import pytest

from chatdev.frontdoor import stamp

NOW = sys.version_info[:2]


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    for name in stamp.SOURCES:
        (root / name).write_text(name, encoding="utf-8")
    return root


@pytest.fixture
def venv(tmp_path):
    venv = tmp_path / "venv"
    python = stamp.python_of(venv)
    python.parent.mkdir(parents=True)
    python.touch()
    (venv / "pyvenv.cfg").touch()
    return venv


def state(root, venv, extras=(), running=NOW):
    return stamp.state(root, venv, frozenset(extras), running)


def complete(root, venv, extras=()):
    stamp.write(root, venv, frozenset(extras), NOW, stamp.fingerprint(root))


def test_complete_means_ready(project, venv):
    complete(project, venv)
    assert state(project, venv).ready
    assert state(project, venv, running=None).ready


def test_without_a_stamp_it_is_unfinished_and_mended_in_place(project, venv):
    found = state(project, venv)
    assert not found.ready
    assert not found.rebuild


def test_nothing_there_is_made_anew(project, tmp_path):
    found = state(project, tmp_path / "nowhere")
    assert not found.ready
    assert found.rebuild


@pytest.mark.parametrize("name", stamp.SOURCES)
def test_a_changed_source_makes_it_stale(project, venv, name):
    complete(project, venv, ["dev"])
    (project / name).write_text("changed", encoding="utf-8")
    found = state(project, venv)
    assert "has changed" in found.reason
    assert not found.rebuild
    assert found.extras == {"dev"}  # an update keeps the development tools


def test_only_what_decides_the_installation_counts(project):
    toml = project / "pyproject.toml"
    base = '[project]\ndependencies = ["rich"]\n{}[tool.hatch.build]\nx = 1\n'
    toml.write_text(base.format("[tool.ruff]\nline-length = 1\n"), encoding="utf-8")
    before = stamp.fingerprint(project)
    toml.write_text(base.format("[tool.ruff]\nline-length = 2\n[[tool.mypy.overrides]]\na = 1\n"), encoding="utf-8")
    assert stamp.fingerprint(project) == before
    toml.write_text(base.format("").replace("x = 1", "x = 2"), encoding="utf-8")
    assert stamp.fingerprint(project) != before
    toml.write_text(base.format("").replace("rich", "click"), encoding="utf-8")
    assert stamp.fingerprint(project) != before


def test_an_edit_during_the_set_up_is_seen_next_time(project, venv):
    before = stamp.fingerprint(project)
    (project / "pyproject.toml").write_text("edited meanwhile", encoding="utf-8")
    stamp.write(project, venv, frozenset(), NOW, before)
    assert "has changed" in state(project, venv).reason


def test_text_that_moves_from_one_file_to_the_other_is_a_change(project):
    before = stamp.fingerprint(project)
    first, second = stamp.SOURCES
    (project / first).write_text(first + "\0" + second[:1], encoding="utf-8")
    (project / second).write_text(second[1:], encoding="utf-8")
    assert stamp.fingerprint(project) != before


def test_more_extras_are_asked_for_but_fewer_are_fine(project, venv):
    complete(project, venv, ["dev"])
    assert state(project, venv).ready
    complete(project, venv)
    assert "dev" in state(project, venv, ["dev"]).reason


def test_a_moved_project_is_made_anew(project, venv, tmp_path):
    complete(project, venv)
    moved = project.rename(tmp_path / "elsewhere")
    assert state(moved, venv).rebuild


def test_another_python_under_it_is_noticed_from_inside(project, venv):
    complete(project, venv)
    assert state(project, venv, running=(3, 99)).rebuild


def test_a_lost_python_is_noticed_from_outside(project, venv):
    complete(project, venv)
    stamp.python_of(venv).unlink()
    assert state(project, venv, running=None).rebuild


@pytest.mark.parametrize("content", [b"", b"fingerprint=", b"\xff\xfe\x00", b"extras=dev\nroot=/x\n"])
def test_a_damaged_stamp_is_never_ready(project, venv, content):
    (venv / stamp.NAME).write_bytes(content)
    assert not state(project, venv).ready


def test_writing_leaves_nothing_else_behind(project, venv):
    before = {child.name for child in venv.iterdir()}
    complete(project, venv)
    assert {child.name for child in venv.iterdir()} == before | {stamp.NAME}
    stamp.remove(venv)
    stamp.remove(venv)
    assert not state(project, venv).ready
