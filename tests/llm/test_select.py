"""From a name to a model."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chatdev import apprentice
from chatdev.errors import UserError
from chatdev.llm.api_images import ImagesUnavailable
from chatdev.llm.base import SayLimits
from chatdev.llm.select import absolute, open_model, preflight, resolve
from tests.fake_behaviours import failing, picture, small_png
from tests.fake_openai import FakeOpenAI
from tests.llm.conftest import KEY


def told(call) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"OPENAI_API_KEY": "k"}, "openai:gpt-4o-mini"),
        ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "gpt-x"}, "openai:gpt-x"),
        ({"OPENAI_BASE_URL": "http://h/v1", "OPENAI_MODEL": "m"}, "openai:m"),
        ({"OPENAI_BASE_URL": "http://h/v1"}, "openai:<the first model listed by http://h/v1>"),
        ({"CHATDEV_MODEL": "hf:some/model"}, "hf:some/model"),
        ({"CHATDEV_MODEL": "hf:some/model", "OPENAI_API_KEY": "k"}, "openai:gpt-4o-mini"),
    ],
)
def test_auto_is_resolved_without_asking_anybody(env, name):
    assert resolve("auto", env=env) == name


def test_auto_with_nothing_set_up_and_no_weights_tells_three_ways(monkeypatch, tmp_path):
    monkeypatch.setattr(apprentice, "WEIGHTS", tmp_path)
    text = told(lambda: open_model("auto", env={"CHATDEV_MODEL": "auto"}))
    for way in ("OPENAI_API_KEY", "hf:", "scripted:snake"):
        assert way in text
    assert text == told(lambda: resolve("auto", env={}))


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("opneai:gpt-4o", "openai:gpt-4o"),
        ("HF:x", "hf:x"),
        ("gpt-4o", "openai:gpt-4o"),
        ("zzz:y", "openai, hf, scripted"),
        ("hf:", "hf:<name>"),
        ("scripted", "scripted:<name>"),
        ("", "openai:<model>"),
    ],
)
def test_a_wrong_name_gets_a_hint(spec, hint):
    assert hint in told(lambda: open_model(spec, env={}))
    assert hint in told(lambda: resolve(spec, env={}))


def test_an_endpoint_from_the_environment_is_opened_and_asked(waits):
    with FakeOpenAI("hello", key=KEY, models=["first", "second"]) as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        model = open_model("auto", env=env, on_wait=waits)
        assert model.name == "openai:first"
        preflight(model)
        stream = model.open("head")
        stream.hear("Hi")
        assert "".join(stream.say(SayLimits())) == "hello"
        assert server.calls[0].body["model"] == "first"
        assert KEY not in model.describe()
        model.close()


def test_an_endpoint_that_lists_nothing_needs_a_name():
    with FakeOpenAI(models=None) as server:
        text = told(lambda: open_model("auto", env={"OPENAI_BASE_URL": server.url}))
        assert "OPENAI_MODEL" in text
        assert server.url in text


def test_a_wrong_key_is_told_before_anything_is_spent(connect):
    with FakeOpenAI(key="another") as server:
        text = told(lambda: preflight(connect(server)))
        assert "401" in text
        assert KEY not in text
        assert server.calls == []


def test_an_endpoint_that_is_not_there_is_told_at_once(waits):
    with FakeOpenAI() as server:
        url = server.url
    model = open_model("openai:m", env={"OPENAI_BASE_URL": url}, on_wait=waits)
    assert url in told(lambda: preflight(model))
    assert waits.seen == []


def test_an_endpoint_without_a_list_of_models_is_fine(connect, notices):
    with FakeOpenAI(models=None) as server:
        preflight(connect(server))
    assert notices == []


@pytest.mark.parametrize("models", [[], [{"id": 5}], [{"id": "fake-model", "context_length": "long"}]])
def test_strange_lists_of_models_do_no_harm(connect, models, notices):
    with FakeOpenAI(models=models) as server:
        preflight(connect(server))
    assert not any("did you mean" in notice for notice in notices)


def test_an_unlisted_model_is_remarked(connect, notices):
    with FakeOpenAI(models=["llama-3", "qwen"]) as server:
        preflight(connect(server, name="lama-3"))
    assert 'did you mean "llama-3"' in notices[0]


def test_a_bad_time_limit_is_told():
    env = {"OPENAI_API_KEY": "k", "CHATDEV_API_TIMEOUT": "long"}
    assert "CHATDEV_API_TIMEOUT" in told(lambda: open_model("openai:m", env=env))


def test_a_users_price_table_is_read_from_the_environment(tmp_path):
    own = tmp_path / "p.yaml"
    own.write_text("prices: {m: {price: [1, 1, 1]}}", encoding="utf-8")
    with FakeOpenAI() as server:
        model = open_model("openai:m", env={"OPENAI_BASE_URL": server.url, "CHATDEV_PRICES": str(own)})
        stream = model.open("head")
        stream.hear("Hi")
        list(stream.say(SayLimits()))
        assert stream.reply.usage.money > 0


def test_a_script_by_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("replies: [hello]", encoding="utf-8")
    model = open_model(f"scripted:{file}", env={})
    preflight(model)
    stream = model.open("head")
    stream.hear("Hi")
    assert list(stream.say(SayLimits())) == ["hello"]
    assert "no script" in told(lambda: open_model("scripted:../../nothing", env={}))


def test_pictures(server, connect):
    model = connect(server, image_model="painter")
    server.images = picture()
    assert model.image("a snake", "512x512") == small_png()
    sent = server.image_calls[0]
    assert (sent["model"], sent["prompt"], sent["size"]) == ("painter", "a snake", "512x512")


def test_a_picture_from_an_endpoint_that_refuses_the_format_field(server, connect):
    server.images = lambda exchange: (
        exchange.error(400, "Unknown parameter: 'response_format'.", param="response_format")
        if "response_format" in exchange.call.body
        else picture()(exchange)
    )
    assert connect(server).image("a snake") == small_png()
    assert len(server.image_calls) == 2


@pytest.mark.parametrize(
    "behaviour",
    [
        None,
        failing(400, f"no {KEY}"),
        failing(500),
        picture(b"GIF89a"),
        lambda exchange: exchange.json(200, {"data": [{"url": "http://127.0.0.1:1/x.png"}]}),
        lambda exchange: exchange.json(200, {"data": [{"b64_json": "***"}]}),
        lambda exchange: exchange.json(200, {"data": []}),
        lambda exchange: exchange.json(200, []),
        lambda exchange: exchange.send(200, b"<html>", "text/html"),
    ],
)
def test_no_picture_is_an_answer_too(server, connect, behaviour):
    server.images = behaviour
    with pytest.raises(ImagesUnavailable) as caught:
        connect(server).image("a snake")
    assert KEY not in str(caught.value)


def test_choosing_a_model_imports_nothing_heavy(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("replies: [hello]", encoding="utf-8")
    code = (
        "import sys\n"
        "from chatdev.llm import api, api_images, select, scripted\n"
        f"select.open_model('scripted:{file}', env={{}})\n"
        "select.resolve('hf:x')\n"
        "heavy = {'openai', 'torch', 'transformers', 'httpx', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


def test_a_password_in_the_address_is_never_shown(capsys):
    env = {"OPENAI_BASE_URL": "http://user:hunter2secret@127.0.0.1:9/v1"}
    assert resolve("auto", env=env) == "openai:<the first model listed by http://[key]@127.0.0.1:9/v1>"
    shown = told(lambda: open_model("openai:", env=env))
    model = open_model("openai:m", env=env)
    shown += model.describe() + told(lambda: preflight(model))
    stream = model.open("You are brief.")
    assert "hunter2" not in shown + repr(stream) + repr(model.endpoint)
    model.close()
    bad = {"OPENAI_BASE_URL": "user:hunter2/secret@host"}
    assert "hunter2" not in told(lambda: open_model("openai:m", env=bad))


def test_a_path_in_a_models_name_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("name: mine\nreplies: [a]\n", encoding="utf-8")
    (tmp_path / "snake").mkdir()
    (tmp_path / "org" / "weights").mkdir(parents=True)
    assert absolute("scripted:mine.yaml") == f"scripted:{tmp_path / 'mine.yaml'}"
    assert absolute("hf:./org/weights") == absolute("hf:org/weights") == f"hf:{tmp_path / 'org' / 'weights'}"
    same = ["scripted:snake", "scripted:none.yaml", "hf:org/other", "openai:mine.yaml", "auto", "hf:", "mine.yaml", ""]
    for spec in [*same, "hf:" + "x" * 9000, "hf:a\0b", "scripted:" + "y" * 9000, "hf:~nobody-is-called-so/x"]:
        assert absolute(spec) == spec
