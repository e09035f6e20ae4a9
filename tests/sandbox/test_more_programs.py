"""More programs for the verdict: input, threads, subprocesses, output and endings of all kinds. Both engines."""

from pathlib import Path

import pytest
import yaml

from chatdev.sandbox import climb
from tests.sandbox.conftest import engine_or_stop

ALL = yaml.safe_load((Path(__file__).parent / "programs" / "more.yaml").read_text(encoding="utf-8"))


BOTH, ONCE = ([case for case in ALL if case.get("once", False) is once] for once in (False, True))


def judged(case, engine, folder):
    """The verdict on a program, and whether its words were found."""
    report = climb(folder, engine, engine.config.with_(start_seconds=2.5, quiet_seconds=3.5))
    start = next(r for r in report.rungs if r.name == "start")
    return report.verdict, case["words"] in report.reason + start.summary or report.for_model()


@pytest.mark.parametrize("case", BOTH, ids=[case["name"] for case in BOTH])
def test_verdict(case, boxed, product):
    assert judged(case, boxed, product({"main.py": case["source"]})) == (case["verdict"], True)


@pytest.mark.parametrize("case", ONCE, ids=[case["name"] for case in ONCE])
def test_verdict_of_the_judge(case, product):
    engine = engine_or_stop("bubblewrap", seconds=20)
    assert judged(case, engine, product({"main.py": case["source"]})) == (case["verdict"], True)
