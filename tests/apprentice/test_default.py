"""What is taken when nobody names a model, what is said about it, and what happens when it does not know a task."""

import json
import shutil

import pytest

import chatdev.apprentice as apprentice
from chatdev.apprentice.course import Course
from chatdev.apprentice.digest import RETRAIN, changed, prompt_digests
from chatdev.apprentice.network import Shape, new
from chatdev.apprentice.oracle import UNKNOWN_REPLIES, Oracle
from chatdev.apprentice.outcome import export
from chatdev.apprentice.rehearsal import default_company, rehearse
from chatdev.apprentice.slots import read_unknown
from chatdev.chain.company_run import CompanyRun, Order
from chatdev.cli.endings import ending
from chatdev.errors import UserError
from chatdev.llm import select
from chatdev.llm.base import SayLimits
from chatdev.run import product as products
from tests.apprentice import tiny

LINE = "the bundled apprentice knows 2 kinds of small programs; for anything else: "


@pytest.fixture
def weights(tmp_path, monkeypatch, tokenizer):
    """A package with weights in it."""
    folder = tmp_path / "weights"
    export(new(Shape(32, 2, 2, 1, 64, 1200, 16), tokenizer, 0), tokenizer, folder)
    (folder / apprentice.FACTS).write_text(json.dumps({"families": ["counter", "snake"]}), encoding="utf-8")
    monkeypatch.setattr(apprentice, "WEIGHTS", folder)
    return folder


def test_auto_takes_the_apprentice_when_nothing_else_is_set_up(weights):
    assert select.resolve("auto", env={}) == "apprentice"
    assert select.resolve("auto", env={"CHATDEV_MODEL": "hf:other"}) == "hf:other"
    assert select.resolve("auto", env={"OPENAI_API_KEY": "k"}).startswith("openai:")
    told = []
    model = select.open_model("auto", env={}, on_notice=told.append)
    assert model.name == "apprentice"
    assert told[0].startswith(LINE)
    stream = model.open("You are a tester.")
    stream.hear("Say something.")
    "".join(stream.say(SayLimits(tokens=5)))
    assert stream.window.total > 5


def test_without_weights_the_apprentice_is_no_model(weights):
    shutil.rmtree(weights)
    for spec in ("auto", "apprentice"):
        with pytest.raises(UserError, match="OPENAI_API_KEY"):
            select.open_model(spec, env={})


def test_a_task_nobody_taught_ends_the_run_with_the_reason(tmp_path, monkeypatch, weights):
    oracle = Oracle(None, Course(unknown=True), name="apprentice")
    monkeypatch.setitem(select.OPENERS, "apprentice", lambda rest, setting: oracle)
    bundle = default_company()
    sandbox = bundle.company.sandbox.model_copy(update={"engine": "none"})
    bundle.company = bundle.company.model_copy(update={"model": "apprentice", "sandbox": sandbox})
    product = products.create(tmp_path, "engine")
    bundle.write(product.company)
    run = CompanyRun(product, bundle, Order("Build a chess engine"), screens=lambda ledger, titles: [oracle.read])
    report = run.run()
    assert (report["exit_code"], report["verdict"], report["state"]) == (3, "unverified", "stopped")
    said = report["reason"].partition("Chief Product Officer says that this cannot be done: ")[2]
    assert said.split(";")[0].strip() in UNKNOWN_REPLIES
    assert any(LINE in line for line in ending(report, product))
    assert [event["phase"] for event in _said(product)] == ["demand_analysis"]

    # Another model may know it: a resumed run asks again instead of repeating the refusal.
    oracle.name, oracle.lesson, oracle.course = "oracle:counter", tiny.lesson("counter", 1), Course()
    again = CompanyRun(product, bundle, Order("Build a chess engine"), screens=lambda ledger, titles: [oracle.read])
    assert again.run()["state"] == "finished"
    assert "manual" in [event["phase"] for event in _said(product)]


def test_the_apprentice_learns_to_refuse(spelling, tokenizer):
    done = rehearse(None, Course(unknown=True), default_company(), spelling, task="Build a chess engine")
    (row,) = done.rows(spelling)
    learned = tokenizer.decode([one for one, kind in zip(row.ids, row.kinds(), strict=True) if kind])
    assert learned.endswith("<INFO> Unknown\n<|end|>")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("Build a chess engine", "1: Build a chess engine [PROGRAM = unknown]"),
        ("Hello! Please write a fox game", "1: Hello!\n2: Please write a fox game [PROGRAM = unknown]"),
        ("A tuner. Thanks.", "1: A tuner. [PROGRAM = unknown]\n2: Thanks."),
        ("Help!", "1: Help! [PROGRAM = unknown]"),
    ],
)
def test_what_is_not_known_is_marked_where_it_is_named(task, said):
    assert read_unknown(task) == said


def test_the_bundled_weights_were_trained_on_the_prompts_of_today():
    assert apprentice.bundled() == apprentice.WEIGHTS
    other = changed(apprentice.facts()["prompts"], prompt_digests())
    assert not other, f"the apprentice was trained on other texts ({', '.join(other)}); train it again: {RETRAIN}"


def test_a_changed_prompt_is_named():
    bundle = default_company()
    before = prompt_digests(bundle)
    assert changed(before, prompt_digests(default_company())) == []
    phase = bundle.phases["coding"]
    bundle.phases["coding"] = phase.model_copy(update={"prompt": phase.prompt + "\nUse Python."})
    assert changed(before, prompt_digests(bundle)) == ["phase coding"]


def _said(product):
    from chatdev.run.journal import read_events

    return [event for event in read_events(product.journal)[0] if event.kind == "said"]
