"""The apprentice's commands, given what they cannot use: one line, and nothing is written, lost or half done."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from transformers.utils import logging

from chatdev.apprentice import average, bundled, distill, install, train
from chatdev.apprentice.network import Shape, new
from chatdev.apprentice.options import Options, fault, remembered
from chatdev.apprentice.outcome import export
from chatdev.apprentice.streams import Row
from chatdev.cli import cli, ended
from chatdev.errors import UserError
from chatdev.llm.local import open_local

TINY = Shape(32, 2, 2, 1, 64, 1200, 16)
FULL = OSError(errno.ENOSPC, "No space left on device")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def filled(folder, text):
    folder.mkdir()
    (folder / "model.safetensors").write_text(text)
    return folder


def text_in(folder):
    return (folder / "model.safetensors").read_text()


@pytest.mark.parametrize("done", [True, False])
def test_only_a_training_that_is_done_is_installed(tmp_path, monkeypatch, done):
    installed = []
    for name in ("make_tokenizer", "make_rows", "finish"):
        monkeypatch.setattr(train, name, lambda *given: None)
    monkeypatch.setattr(train, "train", lambda *given: done)
    monkeypatch.setattr(train, "install_weights", lambda *given: installed.append(given))
    said = CliRunner().invoke(train.main, ["--out", str(tmp_path), "--install"])
    assert said.exit_code == 0, said.output
    assert len(installed) == done
    assert said.output.startswith("done" if done else "stopped; the same command goes on, and nothing is installed")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), FULL, shutil.Error([("a", "b", "[Errno 28] No space left")])])
def test_an_installation_that_is_cut_off_leaves_the_old_model(tmp_path, monkeypatch, stop):
    model, target = filled(tmp_path / "model", "new"), filled(tmp_path / "weights", "old")

    def half(source, place):
        filled(place, "ne")
        raise stop

    monkeypatch.setattr(install.shutil, "copytree", half)
    with pytest.raises((KeyboardInterrupt, UserError)) as error:
        install.install_weights(model, target)
    assert isinstance(error.value, KeyboardInterrupt) or "No space left" in str(error.value)
    assert text_in(target) == "old"
    assert names(tmp_path) == ["model", "weights"]


def test_when_the_new_model_cannot_be_put_in_place_the_old_one_goes_back(tmp_path, monkeypatch):
    model, target = filled(tmp_path / "model", "new"), filled(tmp_path / "weights", "old")
    rename = Path.rename

    def refused(self, other):
        if self.name == "weights.new":
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, other)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(UserError, match=r"cannot be installed \(Permission denied"):
            install.install_weights(model, target)
    assert text_in(target) == "old"
    assert names(tmp_path) == ["model", "weights"]
    install.install_weights(model, target)
    assert text_in(target) == "new"
    assert names(tmp_path) == ["model", "weights"]


def test_what_a_killed_installation_left_is_taken_away(tmp_path, monkeypatch):
    model, target = filled(tmp_path / "model", "new"), tmp_path / "weights"
    filled(tmp_path / "weights.new", "half")
    filled(tmp_path / "weights.old", "old")
    with monkeypatch.context() as patch:
        patch.setattr(install.shutil, "copytree", lambda *given: (_ for _ in ()).throw(FULL))
        with pytest.raises(UserError, match="No space left"):
            install.install_weights(model, target)
    assert text_in(target) == "old"  # the killed one had put it aside
    filled(tmp_path / "weights.new", "half")
    filled(tmp_path / "weights.old", "older")
    install.install_weights(model, target)
    assert text_in(target) == "new"
    assert names(tmp_path) == ["model", "weights"]


@pytest.mark.parametrize(
    "wrong",
    [
        "--shape huge", "--optimizer sgd", "--lessons 0", "--batch 0", "--tokens 0", "--tokens 1e999", "--tokens many",
        "--measure -1", "--lists -1", "--lr nan", "--lr 0", "--drills 2", "--cooled 0", "--emphasis nan", "--threads 0",
        "--workers -1", "--minutes nan", "--seed 99999999999999999999",
    ],
)  # fmt: skip
def test_a_value_that_no_training_can_have_is_wrong_usage(tmp_path, wrong, capsys):
    command = ["--out", str(tmp_path / "out"), "--prepare", *wrong.split()]
    assert ended(lambda: train.main(command, standalone_mode=False)) == 2
    told = capsys.readouterr().err
    assert told.startswith("Usage:")
    assert f"'{wrong.split()[0]}'" in told
    assert not (tmp_path / "out").exists()


def test_the_usual_options_are_among_those_that_are_allowed():
    assert not any(fault(name, value) for name, value in vars(Options()).items())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"families": ("snaik", "tip")}, "no family called snaik. Near to that: snake"),
        ({"families": ("qqqqqq",)}, "no family called qqqqqq. It has "),
        ({"curriculum": "no.such.module"}, r"cannot be imported \(No module named"),
        ({"curriculum": ".near"}, "cannot be imported"),
        ({"curriculum": "json"}, "no curriculum .it has no FAMILIES"),
        ({"base": "/"}, "there is no config.json in it"),
    ],
)
def test_what_a_training_cannot_find_is_said_before_anything_is_written(tmp_path, given, told):
    with pytest.raises(UserError, match=told):
        remembered(tmp_path / "out", given)
    assert not (tmp_path / "out").exists()


def test_a_training_needs_a_folder_and_a_whole_model_to_begin_from(tmp_path, tokenizer):
    (tmp_path / "file").write_text("")
    assert CliRunner().invoke(train.main, ["--out", str(tmp_path / "file")]).exit_code == 2
    with pytest.raises(UserError, match="this is a file"):
        remembered(tmp_path / "file" / "out", {})
    with pytest.raises(UserError, match="this folder cannot be used"):
        remembered(tmp_path / ("a" * 300), {})
    export(new(TINY, tokenizer, 0), tokenizer, tmp_path / "base")
    given = {"base": str(tmp_path / "base")}
    assert remembered(tmp_path / "whole", given).base
    weights = tmp_path / "base" / "model.safetensors"
    for size in (1000, 0):
        weights.write_bytes(weights.read_bytes()[:size])
        with pytest.raises(UserError, match=r"model\.safetensors: this file cannot be read"):
            remembered(tmp_path / "cut", given)
    (tmp_path / "base" / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"config\.json: this file cannot be read"):
        remembered(tmp_path / "cut", given)
    assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (b'{"shape": "fu', "cannot be read"),
        (b"\xff\x00", "cannot be read"),
        (b"[1]", "no options"),
        (b'{"lessens": 640}', 'no option "lessens". Is "lessons" meant'),
        (b'{"shape": "huge"}', '"shape" cannot be that'),
        (b'{"families": 3}', "no list of names"),
        (b'{"lr": "fast"}', "no number"),
        (b'{"tokens": true}', "no number"),
        (b'{"lessons": 0}', "0 is not 1 or more"),
    ],
)
def test_options_that_were_spoilt_are_told_and_left_as_they_are(tmp_path, held, told):
    path = tmp_path / "options.json"
    path.write_bytes(held)
    with pytest.raises(UserError, match=told) as error:
        remembered(tmp_path, {"lessons": 40_000})
    assert error.value.where == str(path)
    assert error.value.fix
    assert path.read_bytes() == held


@pytest.mark.parametrize("share", ["nan", "inf", "-0.1", "1.5"])
def test_a_share_lies_between_nothing_and_all(tmp_path, share):
    command = [sys.executable, "-m", "chatdev.apprentice.average", ".", ".", "--share", share, "--out", "both"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage:")
    assert "'--share'" in done.stderr
    with pytest.raises(UserError, match="not between 0 and 1"):
        average.average(tmp_path, tmp_path, float(share), tmp_path / "both")


@pytest.fixture
def two(tmp_path, tokenizer):
    for seed in (0, 1):
        export(new(TINY, tokenizer, seed), tokenizer, tmp_path / str(seed))
    return tmp_path / "0", tmp_path / "1"


def test_an_average_is_not_written_into_what_it_is_made_from(tmp_path, two):
    kept = [(folder / "model.safetensors").read_bytes() for folder in two]
    (tmp_path / "file").write_text("")
    for out in (*two, two[0] / "both", two[1] / "both", two[0] / ".." / "1"):
        with pytest.raises(UserError, match="into what it is made from"):
            average.average(*two, 0.5, out)
    with pytest.raises(UserError, match="this is a file"):
        average.average(*two, 0.5, tmp_path / "file")
    command = [*map(str, two), "--share", "0.5", "--out", str(tmp_path / "file")]
    assert CliRunner().invoke(average.main, command).exit_code == 2
    assert kept == [(folder / "model.safetensors").read_bytes() for folder in two]


@pytest.mark.parametrize("size", [1000, 0])
def test_weights_that_were_cut_off_are_not_averaged(tmp_path, two, size):
    path = two[1] / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match="the weights cannot be read") as error:
        average.average(*two, 0.5, tmp_path / "both")
    assert error.value.where == str(path)
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize(
    ("held", "left"),
    [
        (b"\xff\x00", {}),
        (b"[1]", {}),
        (b"[" * 200_000, {}),
        (b'{"averaged": 3, "a": 1}', {"a": 1}),
        (b'{"averaged": [0.1]}', {}),
    ],
)
def test_facts_of_any_kind_do_not_stop_an_average(tmp_path, two, held, left):
    for folder in two:
        (folder / "apprentice.json").write_bytes(held)
    average.average(*two, 0.5, tmp_path / "both")
    shares = [0.1, 0.5] if b"0.1" in held else [0.5]
    assert json.loads((tmp_path / "both" / "apprentice.json").read_text()) == {**left, "averaged": shares}


def test_an_average_is_run_as_the_later_training_is(tmp_path, two):
    (two[0] / "apprentice.json").write_text('{"prompts": "old", "averaged": [0.1]}')
    (two[1] / "apprentice.json").write_text('{"prompts": "new", "measured": {"loss": 1}}')
    config = json.loads((two[1] / "config.json").read_text())
    (two[1] / "config.json").write_text(json.dumps({**config, "stream_window": 900}))
    average.average(*two, 0.5, tmp_path / "both")
    assert open_local(str(tmp_path / "both")).settings.window == 900
    facts = json.loads((tmp_path / "both" / "apprentice.json").read_text())
    assert facts == {"prompts": "new", "averaged": [0.1, 0.5]}, "what was measured of the training is not the mixture's"


def test_the_card_of_an_average_says_what_it_is(tmp_path, two):
    held = {"families": ["tip"], "options": {"shape": "nano"}, "measured": {"loss": 0.125}}
    (two[1] / "apprentice.json").write_text(json.dumps(held))
    average.average(*two, 0.5, tmp_path / "both")
    card = (tmp_path / "both" / "README.md").read_text()
    assert "an average with those before the training, of which 50% is of the later ones" in card
    assert "0.125" not in card


def test_an_average_with_half_a_model_is_refused(tmp_path, two):
    (two[1] / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        average.average(*two, 0.5, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_an_average_that_cannot_be_written_leaves_no_weights(tmp_path, two, monkeypatch):
    def full(*given):
        raise FULL

    monkeypatch.setattr(average, "write_json", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left"):
        average.average(*two, 0.5, tmp_path / "both")
    assert not list((tmp_path / "both").glob("*.safetensors*"))


@pytest.fixture
def opened(monkeypatch):
    """What `distill` opens, though nothing is opened."""
    found = []

    def note(spec, **given):
        found.append((spec, logging.is_progress_bar_enabled()))
        raise UserError("this is as far as it goes")

    monkeypatch.setattr("chatdev.llm.local.load.open_local", note)
    return found


def told_by_distill(*command):
    done = CliRunner().invoke(cli, ["distill", *map(str, command)])
    assert isinstance(done.exception, UserError), done.output
    return str(done.exception)


def test_paths_are_looked_at_before_a_model_is_opened(tmp_path, opened):
    (tmp_path / "file").write_text("x")
    (tmp_path / "notes.jsonl").write_text('{"text": "hello"}\n')
    model = ("--base", "hf:nothing", "--out")
    for path in (bundled() / "model.safetensors", tmp_path / "file", tmp_path / "notes.jsonl"):
        told = told_by_distill(path, *model, tmp_path / "out")
        assert told.startswith(f"{path}: this file is no journal")
        assert "--all" not in told
    assert "there is no journal" in told_by_distill(tmp_path / "nowhere", *model, tmp_path / "out")
    assert "this is a file" in told_by_distill(tmp_path / "nowhere", *model, tmp_path / "file")
    assert not opened
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", ["--lr nan", "--epochs nan", "--epochs inf", "--held-out nan", "--minutes nan"])
def test_numbers_that_are_none_make_no_distillation(tmp_path, opened, wrong):
    told = told_by_distill(tmp_path, "--base", "apprentice", "--out", tmp_path / "out", *wrong.split())
    assert "these numbers make no training" in told


def test_a_window_that_is_too_small_is_wrong_usage(tmp_path):
    command = ["distill", str(tmp_path), "--base", "apprentice", "--out", str(tmp_path / "out"), "--window", "5"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 2
    assert "'--window'" in done.output


def test_the_bundled_apprentice_is_a_base_and_is_opened_without_a_bar(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(distill, "_products", lambda *given: [])
    logging.enable_progress_bar()
    assert "as far as" in told_by_distill(tmp_path, "--base", "apprentice", "--out", tmp_path / "out")
    assert opened == [(str(bundled()), False)]


def test_replies_that_begin_behind_the_window_are_no_reason_for_all(tmp_path, monkeypatch, tokenizer):
    far = SimpleNamespace(rows=lambda spelling: [Row("tester", 4, [1] * 500, [(400, 420)])])
    model = SimpleNamespace(tokenizer=tokenizer, ends=[0], settings=SimpleNamespace(window=64))
    monkeypatch.setattr(distill, "_products", lambda *given: [far])
    monkeypatch.setattr("chatdev.llm.local.load.open_local", lambda *given, **named: model)
    told = told_by_distill(tmp_path, "--base", "apprentice", "--out", tmp_path / "out")
    assert "within 128 tokens" in told
    assert "--window" in told
    assert "--all" not in told
