"""The report that an agent is shown."""

from hypothesis import given
from hypothesis import strategies as st

from chatdev.sandbox.report import LadderReport, Rung, judge


def report(*details: str) -> LadderReport:
    rungs = (Rung("parse", "passed", "all parse"),)
    rungs += tuple(Rung(f"r{n}", "failed", f"broken {n}", text) for n, text in enumerate(details))
    return LadderReport(*judge(rungs), rungs, "none", "", entry="python3 main.py")


def test_what_is_wrong_is_said_once_where_everything_fits():
    text = report("Traceback: the end").for_model()
    assert text.startswith("Verdict: failed.\nStarted as: python3 main.py\nparse: passed. all parse\n")
    assert (text.count("broken 0"), text.count("Traceback: the end")) == (1, 1)


def test_the_reason_leads_where_something_is_cut():
    assert report("x" * 900).for_model(400).startswith("Verdict: failed. r0: broken 0\n")


def test_a_program_that_passes_says_why():
    fine = (Rung("start", "passed", "alive"),)
    assert LadderReport(*judge(fine), fine, "none", "").for_model().startswith("Verdict: verified. passed: start\n")


@given(st.lists(st.text("aä1: \n", max_size=900), min_size=1, max_size=3), st.integers(400, 3000))
def test_a_report_keeps_to_its_limit_and_loses_nothing_that_fits(details, limit):
    made = report(*details)
    text = made.for_model(limit)
    assert len(text) <= limit
    if not text.startswith("Verdict: failed.\n"):
        assert made.reason in text
    else:
        assert all(f"broken {n}" in text and part.rstrip() in text for n, part in enumerate(details))
