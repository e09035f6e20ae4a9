"""Products that try to be judged by something of their own. Real engines."""

import pytest

FAILING = "def test_it():\n    assert 1 == 2\n"
PASSING = "import calc\n\ndef test_add():\n    assert calc.add(1, 1) == 2\n"
CALC = "def add(a, b):\n    return a + b\n"
JUNIT = '<t><testcase classname="test_wish" name="test_wish"/><testcase classname="tests.test_it" name="test_it"/></t>'
FORGER = f"""\
import atexit, glob, os
def forge():
    for place in ('.', *glob.glob('/tmp/*/')):
        open(place + '/junit.xml', 'w').write('''{JUNIT}''')
    os._exit(0)
"""
PLUGIN = "import pytest\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_pyfunc_call(pyfuncitem):\n    return True\n"


def rung_of(rungs, name, files, **options):
    found = rungs(files, **options)[1][name]
    if found.state == "unverified" and "pytest" in found.summary:
        pytest.skip(found.summary)
    return found


@pytest.fixture
def hidden(tmp_path):
    def write(text, name="test_wish.py"):
        folder = tmp_path / "accept"
        folder.mkdir()
        (folder / name).write_text(text, encoding="utf-8")
        return folder

    return write


def test_neither_a_pytest_nor_a_plugin_nor_a_conftest_of_the_products_own_judges_it(rungs, hidden):
    """`import pytest` used to find the product's file first, which wrote a report to its liking."""
    forger = "def main(a):\n    open('junit.xml', 'w').write('<t><testcase name=\"x\"/></t>')\n    return 0\n"
    report, found = rungs(
        {
            "main.py": "print('hello')\n", "pytest.py": forger, "tests/test_it.py": FAILING, "conftest.py": PLUGIN,
            "judge.py": PLUGIN, "judge-1.dist-info/METADATA": "Name: judge\nVersion: 1\n",
            "judge-1.dist-info/entry_points.txt": "[pytest11]\njudge = judge\n",
        },
        accept=hidden("def test_wish():\n    assert 1 == 2\n"),
    )  # fmt: skip
    if found["acceptance"].state == "unverified":
        pytest.skip(found["acceptance"].summary)
    assert found["acceptance"].summary.startswith("1 of 1 tests fail")
    assert report.verdict == "failed"
    assert found["tests"].state != "passed"
    assert "conftest.py: pytest_pyfunc_call" in found["tests"].summary


@pytest.mark.parametrize("when", ["forge()", "atexit.register(forge)"])
def test_a_report_that_the_product_writes_itself_is_not_read(rungs, hidden, when):
    files = {"main.py": "print(1)\n", "calc.py": FORGER + when + "\n", "junit.xml": JUNIT}
    accept = hidden("import calc\n\ndef test_wish():\n    assert calc.x == 2\n")
    found = rung_of(rungs, "acceptance", files, accept=accept)
    assert (found.state, "no readable report" in found.summary) == ("failed", True), found.summary


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\npython_files = "other_*.py"\nrequired_plugins = "none"\n'),
        ("tox.ini", "[pytest]\nnorecursedirs = tests\naddopts = --deselect tests/test_it.py::test_it\n"),
    ],
)
def test_settings_of_the_product_choose_no_tests(rungs, name, text):
    files = {"main.py": "print(1)\n", "tests/test_it.py": FAILING, name: text}
    assert rung_of(rungs, "tests", files).summary.startswith("1 of 1 tests fail")


def test_a_test_that_is_left_out_is_missed(rungs):
    conftest = "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if 'add' in i.name]\n"
    files = {"main.py": "print(1)\n", "calc.py": CALC, "tests/test_it.py": PASSING + "\n" + FAILING}
    found = rung_of(rungs, "tests", files | {"tests/conftest.py": conftest})
    assert (found.state, found.summary) == ("failed", "tests.test_it.test_it was never run: something left it out")


def test_a_program_cannot_skip_the_tests_that_judge_it(rungs, hidden):
    files = {"main.py": "print(1)\n", "calc.py": "import unittest\ndef add(a, b):\n    raise unittest.SkipTest('no')\n"}
    accept = hidden(PASSING + "\ndef test_easy():\n    assert calc.add\n")
    found = rung_of(rungs, "acceptance", files, accept=accept)
    assert (found.state, found.summary) == ("failed", "1 of 2 tests were skipped, though no test says so")


def test_tests_of_every_form_are_counted_and_pass(rungs):
    text = """\
import unittest
import pytest
from shop.calc import add

@pytest.fixture
def test_data():
    return 1

@pytest.mark.parametrize("n", [1, 2])
def test_many(n, test_data):
    assert add(n, test_data) == n + 1

class TestGroup:
    class TestInner:
        def test_deep(self): assert add(1, 1) == 2
    @pytest.mark.skip(reason="later")
    def test_later(self): assert False

class Old(unittest.TestCase):
    def test_old(self): self.assertEqual(add(1, 1), 2)

class TestConfig:
    def __init__(self): self.test_nothing = 1
    def test_none(self): assert False
"""
    files = {
        "src/shop/__init__.py": "", "src/shop/calc.py": CALC,
        "src/shop/__main__.py": "from shop.calc import add\nprint(add(1, 2))\n",
        "tests/unit/test_it.py": text, "typing_test.py": "print(input('type: '))\n",
        "tests/test_left.py": "import pytest\npytest.skip('not now', allow_module_level=True)\ndef test_x(): pass\n",
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\n[project]\nname = "shop"\n',
    }  # fmt: skip
    report, rung = rungs(files)
    found = rung["tests"]
    if found.state == "unverified":
        pytest.skip(found.summary)
    assert report.verdict == "verified", report.for_model()
    assert (found.state, found.summary[:24]) == ("passed", "4 tests pass, 2 skipped,"), (found.summary, found.details)


def test_every_module_is_imported_however_many_there_are(rungs, monkeypatch):
    monkeypatch.setattr("chatdev.sandbox.rung_import.MAX_MODULES", 2)
    monkeypatch.setattr("chatdev.sandbox.rung_import.TOGETHER", 3)
    files = {f"part_{n}.py": "N = 1\n" for n in range(7)} | {"node.py": "import sys\nsys.exit(1)\n"}
    start = "import " + ", ".join(f"part_{n}" for n in range(7)) + "\nprint(1)\n"
    lazy = "def go():\n    import node\n"
    fine, found = rungs({**files, "part_6.py": lazy, "main.py": start})
    assert fine.verdict == "verified", fine.for_model()
    assert found["import"].summary == "8 modules import"
    broken = rungs({**files, "part_5.py": "from part_0 import missing\n", "part_6.py": lazy, "main.py": start})[1]
    assert broken["import"].summary.startswith("part_5: ")
    assert "has no 'missing'" in broken["import"].summary
