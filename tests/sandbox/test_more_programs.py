"""More programs for the verdict: input, threads, subprocesses, output and endings of all kinds. Both engines."""

from pathlib import Path

import pytest
import yaml

from chatdev.sandbox import climb

CASES = yaml.safe_load((Path(__file__).parent / "programs" / "more.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_verdict(case, boxed, product):
    config = boxed.config.with_(start_seconds=2.5, quiet_seconds=3.5)
    report = climb(product({"main.py": case["source"]}), boxed, config)
    start = next(r for r in report.rungs if r.name == "start")
    assert report.verdict == case["verdict"], report.for_model()
    assert case["words"] in report.reason + start.summary
