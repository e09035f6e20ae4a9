"""Products that try to be judged by something of their own. Real engines."""

import pytest


def test_a_pytest_of_the_products_own_does_not_judge_it(rungs, tmp_path):
    """`import pytest` used to find the product's file first, which wrote a report to its liking."""
    forger = "def main(a):\n    open('junit.xml', 'w').write('<t><testcase name=\"x\"/></t>')\n    return 0\n"
    hidden = tmp_path / "accept"
    hidden.mkdir()
    (hidden / "test_wish.py").write_text("def test_wish():\n    assert 1 == 2\n", encoding="utf-8")
    files = {"main.py": "print('hello')\n", "pytest.py": forger}
    for name, found in (
        ("tests", rungs({**files, "tests/test_it.py": "def test_it():\n    assert 1 == 2\n"})[1]),
        ("acceptance", rungs(files, accept=hidden)[1]),
    ):
        if found[name].state == "unverified":
            pytest.skip(found[name].summary)
        assert found[name].state == "failed", found[name].summary
        assert found[name].summary.startswith("1 of 1 tests fail")
