"""Opening models from folders: what works, and one line for everything that does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from chatdev.errors import UserError
from chatdev.llm.base import SayLimits
from chatdev.llm.local import open_local


def copy_without(folder, target, *names):
    target.mkdir()
    for file in folder.iterdir():
        if not any(file.name.startswith(name) for name in names):
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_a_folder_opens_and_talks(folder):
    told = []
    model = open_local(f"hf:{folder}", on_progress=lambda what, done: told.append((what, done)))
    stream = model.open("You are a clerk.")
    stream.hear("Hello")
    assert "".join(stream.say(SayLimits(tokens=5))) == stream.reply.text
    assert told[:2] == [("loading the weights", 0.0), ("loading the weights", 1.0)]
    assert ("loading the weights", 1.0) in told
    assert model.settings.window == 3640
    assert "float32 on" in model.describe()


@pytest.mark.parametrize(
    ("missing", "what"),
    [("config.json", "no config.json"), ("model", "no weights"), ("tokenizer", "tokenizer cannot be loaded")],
)
def test_missing_parts_are_named(folder, tmp_path, missing, what):
    broken = copy_without(folder, tmp_path / "broken", missing)
    with pytest.raises(UserError, match=what) as caught:
        open_local(str(broken))
    assert "\n" not in str(caught.value)


def test_no_chat_template_is_said_once(folder, tmp_path):
    plain = copy_without(folder, tmp_path / "plain", "chat_template")
    config = json.loads((plain / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    (plain / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    notices = []
    model = open_local(str(plain), on_notice=notices.append)
    model.open("One")
    model.open("Two")
    assert len(notices) == 1
    assert "no chat template" in notices[0]


def test_damaged_weights_are_one_line(folder, tmp_path):
    broken = copy_without(folder, tmp_path / "broken")
    file = broken / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(UserError):
        open_local(str(broken))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"hidden_size": "x"}, "config.json cannot be used"),
        ({"num_attention_heads": 5}, "config.json cannot be used"),
        ({"max_position_embeddings": -1}, "-1 positions, which leaves no window"),
        ({"num_hidden_layers": 9}, "of its weights are missing"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(folder, tmp_path, changed, what):
    broken = copy_without(folder, tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
    (broken / "config.json").write_text(json.dumps({**config, **changed}), encoding="utf-8")
    with pytest.raises(UserError, match=what) as caught:
        open_local(str(broken))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_its_config_is_told(folder, tmp_path):
    notices = []
    open_local(str(copy_without(folder, tmp_path / "bare", "tokenizer_config")), on_notice=notices.append)
    assert any("no tokenizer_config.json" in notice for notice in notices)
    notices.clear()
    open_local(str(folder), on_notice=notices.append)
    assert not any("tokenizer_config" in notice for notice in notices)


def test_a_folder_that_is_not_there():
    with pytest.raises(UserError, match="no such folder"):
        open_local("hf:./nowhere")


def test_a_window_beyond_the_model_is_refused_with_the_largest_that_fits(folder):
    with pytest.raises(UserError, match=r"window of 9,000 .* largest that fits is 3,640"):
        open_local(str(folder), window=9000)
    open_local(str(folder), window=3640).open("Head")


@pytest.mark.parametrize(("asked", "window"), [(512, 512), (9000, 3640), (0, 3640), ("wide", 3640), (True, 3640)])
def test_a_model_says_what_window_it_wants_and_the_user_wins(folder, tmp_path, asked, window):
    wishing = copy_without(folder, tmp_path / "wishing")
    config = json.loads((wishing / "config.json").read_text(encoding="utf-8"))
    (wishing / "config.json").write_text(json.dumps({**config, "stream_window": asked}), encoding="utf-8")
    assert open_local(str(wishing)).settings.window == window
    assert open_local(str(wishing), window=1000).settings.window == 1000


def test_a_window_beyond_the_memory_is_refused_with_the_numbers(folder, monkeypatch):
    from chatdev.llm.local import load

    monkeypatch.setattr(load, "free_memory", lambda device: 600_000)
    with pytest.raises(UserError, match=r"takes 0\.\d GB, and 0\.0 GB are free.*largest that fits is"):
        open_local(str(folder), window=3000, precision="bf16")


def test_an_unknown_precision_is_refused(folder):
    with pytest.raises(UserError, match='unknown precision "int3"'):
        open_local(str(folder), precision="int3")


def test_offline_and_not_cached_is_one_line(tmp_path):
    code = (
        "from chatdev.llm.local import open_local\nfrom chatdev.errors import UserError\n"
        "try:\n    open_local('hf:nobody/nothing')\nexcept UserError as error:\n    print('LINE', error)\n"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "LINE nobody/nothing: it is not cached and cannot be downloaded" in out.stdout


def test_the_command_line_does_not_pay_for_torch():
    code = "import sys, chatdev.llm.local\nprint('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.skipif("CHATDEV_TEST_MODEL" not in os.environ, reason="CHATDEV_TEST_MODEL names no model")
def test_a_real_model_talks_far_beyond_its_window():
    model = open_local(os.environ["CHATDEV_TEST_MODEL"])
    stream = model.open("You tell stories.")
    for _ in range(30):
        stream.hear("Tell me more about the little dog.")
        "".join(stream.say(SayLimits(tokens=100)))
    assert stream.window.held <= model.settings.window < stream.window.total


def test_packed_weights_serve_the_stream_and_are_part_of_its_identity(folder):
    """A snapshot made with weights of another precision must not be taken for this one's."""
    plain, packed = open_local(str(folder), precision="fp32"), open_local(str(folder), precision="int8")
    assert packed.settle().precision == "int8"
    assert plain.revision != packed.revision
    stream = packed.open("You are a clerk.")
    stream.hear("Hello")
    assert "".join(stream.say(SayLimits(tokens=8))) == stream.reply.text
