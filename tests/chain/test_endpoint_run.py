"""A whole company on an OpenAI-compatible endpoint: a real server on loopback, with the house's own client."""

import json

import pytest

from chatdev.run.journal import read_events
from tests.chain.house import TASK, Player, chatdev, git, only_product
from tests.fake_behaviours import context_exceeded
from tests.fake_openai import FakeOpenAI

KEY = "sk-very-secret-key-1234567890"
CHATDEV_PUBLISHED_TOKENS = 22_949
"""What ChatDev's paper (arXiv 2307.07924, table 2) reports for one product."""


def run(server, folder, *args, **env):
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "tiny", **env}
    return chatdev("--task", TASK, *args, cwd=folder, **env)


@pytest.fixture
def server():
    with FakeOpenAI(reply=Player(), key=KEY) as made:
        yield made


def test_an_endpoint_builds_the_game_and_an_unknown_price_is_said(server, tmp_path):
    done = run(server, tmp_path, "--sandbox", "none", "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert set(report["models"].values()) == {"openai:tiny"}
    assert report["money"] is None, "the price of a model called tiny is not known, and that is not nothing"
    assert report["unpriced_replies"] == report["replies"] == len(server.calls)


def test_the_key_is_nowhere_in_the_product(server, tmp_path):
    run(server, tmp_path, "--sandbox", "none")
    files = [path for path in only_product(tmp_path).rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.docker
def test_in_docker_the_game_is_verified_for_under_half_of_chatdevs_tokens(server, tmp_path, docker_engine):
    done = run(server, tmp_path, "--sandbox", "docker", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "verified"
    assert 5_000 < report["tokens"] < CHATDEV_PUBLISHED_TOKENS / 2


def test_a_context_limit_in_the_middle_is_no_failure(server, tmp_path):
    server.at(3, context_exceeded(1500))
    done = run(server, tmp_path, "--sandbox", "none")
    assert done.returncode == 3, done.stderr
    assert (only_product(tmp_path) / "manual.md").is_file()


def test_a_refused_key_is_one_line_and_the_run_resumes_with_the_right_one(server, tmp_path):
    wrong = run(server, tmp_path, "--sandbox", "none", "--set", "limits.turns=3")
    assert wrong.returncode == 4
    product = only_product(tmp_path)
    where = {"OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "tiny"}
    refused = chatdev(
        "resume", product.name, "--set", "limits.turns=50", cwd=tmp_path, OPENAI_API_KEY="sk-not-the-right-one", **where
    )
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "401" in refused.stderr
    assert "sk-not-the-right-one" not in refused.stdout + refused.stderr
    again = chatdev("resume", product.name, cwd=tmp_path, OPENAI_API_KEY=KEY, **where)
    assert again.returncode == 3, again.stderr
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    said = [event.key for event in events if event.kind == "said"]
    answered = [call for call in server.calls if call.key == KEY]
    assert len(said) == len(set(said)) == len(answered), "no reply is paid for twice"


def test_one_role_can_have_a_model_of_its_own(server, tmp_path):
    company = tmp_path / "mixed"
    company.mkdir()
    (company / "company.yaml").write_text(
        "extends: default\nroles: {reviewer: {model: 'scripted:snake'}}\n", encoding="utf-8"
    )
    done = run(server, tmp_path, "--sandbox", "none", "--company", str(company), "--json")
    assert done.returncode == 3, done.stderr
    models = json.loads(done.stdout)["models"]
    assert (models["reviewer"], models["programmer"]) == ("scripted:snake", "openai:tiny")
    log = git(only_product(tmp_path), "log", "--format=%(trailers:key=Model,valueonly,separator=)")
    assert set(log.split()) == {"openai:tiny"}


def test_a_reply_that_is_no_file_is_sent_back_with_the_reason(tmp_path):
    def stubborn(messages):
        text = messages[-1]["content"]
        if "could not be used" in text:
            return '<file path="main.py">\nprint("hello")\n</file>'
        return '<file path="../main.py">\nprint("hello")\n</file>\n<file path="x.py">\nprint(\n</file>'

    with FakeOpenAI(reply=stubborn, key=KEY) as server:
        done = run(server, tmp_path, "--sandbox", "none", "--company", "solo", "--set", "gui=false")
        assert done.returncode == 3, done.stderr
        asked = server.calls[1].messages[-1]["content"]
    assert "'../main.py' cannot be a file of the software" in asked
    assert "x.py, line 1" in asked
    product = only_product(tmp_path)
    assert (product / "main.py").read_text(encoding="utf-8") == 'print("hello")\n'
    assert not (product.parent / "main.py").exists()
