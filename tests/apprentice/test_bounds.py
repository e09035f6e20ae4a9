"""A task that the apprentice did not understand is found in its analysis, by rules, and the run stops there."""

import pytest

from chatdev.apprentice.bounds import TaughtBounds
from chatdev.apprentice.course import Course
from chatdev.apprentice.curriculum import lesson
from chatdev.apprentice.oracle import Oracle
from chatdev.apprentice.rehearsal import default_company
from chatdev.chain.company_run import CompanyRun, Order
from chatdev.chain.pieces import LONGEST
from chatdev.cli.endings import ending
from chatdev.errors import UserError
from chatdev.llm import select
from chatdev.run import product as products
from chatdev.run.journal import read_events

BOUNDS = TaughtBounds(["snake", "todo"])


@pytest.mark.parametrize(
    ("task", "analysis", "why"),
    [
        ("a snake game", "1: a snake game [PROGRAM = snake]\n\nWIDTH = 20\n", None),
        ("A snake game. Thanks!", "1: A snake game. [PROGRAM = snake]\n2: Thanks!\n", None),
        ("hello", "1: hello\n\nI cannot do this well.\n\n<INFO> Python\n", "names no program"),
        ("a chess game", "1: a chess game [PROGRAM = chess]\n", "names no program"),
        ("a snake game", "[PROGRAM = snake]\n", "lost its way"),
        ("A snake game. Nice.", "1: A snake game. [PROGRAM = snake]\n2: Nice.\n1: Nice.\n2: Nice.\n", "lost its way"),
        ("A snake game. Nice.", "1: A snake game. [PROGRAM = snake]\n", "lost its way"),
    ],
)
def test_an_analysis_shows_whether_the_task_was_understood(task, analysis, why):
    found = BOUNDS.beyond(task, analysis)
    assert (why is None and found is None) or why in found


@pytest.mark.parametrize(
    ("task", "analysis", "lost"),
    [
        ("a snake game", "1: a snake game [PROGRAM = snake]\n", []),
        ('a list called "a [B = 1] c"', '1: a list\n2: called "a [B = 1] c" [TITLE = "a [B = 1] c"]\n', []),
        (
            "a snake game 0 cells wide and -5 high",
            "1: a snake game  [PROGRAM = snake]\n2: and -5 high [HEIGHT = 5]\n",
            ["0 cells wide"],
        ),
        ("a snake game with sound", "1: a snake game [PROGRAM = snake]\n2: with music\n", ["sound"]),
        ("a snake game with sound", "1: a snake game [PROGRAM = snake]\n", ["with sound"]),
    ],
)
def test_what_an_analysis_leaves_out_of_the_task_is_found(task, analysis, lost):
    assert BOUNDS.overlooked(task, analysis) == lost


def test_a_task_too_long_to_be_taken_apart_is_refused_with_the_numbers():
    BOUNDS.check("a snake game")
    with pytest.raises(UserError, match=r"at most 2,000 characters, and this one has 2,001.*--model"):
        BOUNDS.check("a" * (LONGEST + 1))


def test_a_run_stops_at_an_analysis_that_shows_no_understanding_and_another_model_goes_on(tmp_path, monkeypatch):
    oracle = Oracle(lesson("snake", 1), Course(), name="apprentice")
    oracle.bounds = TaughtBounds(["chess"])
    monkeypatch.setitem(select.OPENERS, "apprentice", lambda rest, setting: oracle)
    bundle = default_company()
    sandbox = bundle.company.sandbox.model_copy(update={"engine": "none"})
    bundle.company = bundle.company.model_copy(update={"model": "apprentice", "sandbox": sandbox})
    product = products.create(tmp_path, "snake")
    bundle.write(product.company)

    def run(task):
        return CompanyRun(product, bundle, Order(task), screens=lambda ledger, titles: [oracle.read]).run()

    report = run(oracle.lesson.task)
    assert (report["exit_code"], report["state"], report["gave_up"]) == (3, "stopped", True)
    assert report["reason"].endswith("cannot be done: it names no program that it was taught")
    lines = "\n".join(ending(report, product))
    assert "knows   breakout, calculator," in lines
    assert "--model MODEL" in lines

    oracle.bounds = None
    again = run(oracle.lesson.task)
    assert (again["state"], again["gave_up"]) == ("finished", False)
    begun = [event["step"] for event in read_events(product.journal)[0] if event.kind == "step_started"]
    assert begun[:2] == ["demand_analysis", "demand_analysis~2"]


def test_what_is_left_out_is_told(tmp_path, monkeypatch):
    oracle = Oracle(lesson("snake", 1), Course(), name="apprentice")
    oracle.bounds = TaughtBounds(["snake"])
    oracle.bounds.overlooked = lambda task, analysis: ["with \x1b[2Jsound"]
    monkeypatch.setitem(select.OPENERS, "apprentice", lambda rest, setting: oracle)
    bundle = default_company()
    sandbox = bundle.company.sandbox.model_copy(update={"engine": "none"})
    bundle.company = bundle.company.model_copy(update={"model": "apprentice", "sandbox": sandbox})
    product = products.create(tmp_path, "snake")
    bundle.write(product.company)
    run = CompanyRun(product, bundle, Order(oracle.lesson.task), screens=lambda ledger, titles: [oracle.read])
    assert run.run()["state"] == "finished"
    notices = [event["text"] for event in read_events(product.journal)[0] if event.kind == "notice"]
    assert any("not taken over from the task: " in text and "sound" in text for text in notices)


def test_the_bundled_model_has_bounds_and_a_window_that_a_dialogue_leaves():
    model = select.open_model("apprentice", env={})
    assert model.settings.window == 1024
    assert model.bounds.beyond("hello", "1: hello\n") is not None
    assert model.bounds.beyond("a snake game", "1: a snake game [PROGRAM = snake]\n") is None
