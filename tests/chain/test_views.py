"""What a phase is shown of the files when it does not need all of them."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.chain.interfaces import interfaces
from chatdev.chain.views import imports, is_test, only_tests, sources, suspects, tried
from chatdev.company import load_company

FILES = {
    "main.py": "import tkinter\nfrom snake import Game\n",
    "snake.py": "import random\n",
    "shop/cart.py": "import numpy as np\nfrom PIL import Image\n",
    "tests/test_snake.py": "import pytest\nfrom snake import Game\n",
}


def test_sources_are_the_files_without_the_tests():
    assert list(sources(FILES)) == ["main.py", "snake.py", "shop/cart.py"]
    assert sources({"tests/test_a.py": ""}) == {"tests/test_a.py": ""}


TESTS = [
    "tests/test_a.py", "test_a.py", "game_test.py", "cart.test.js", "src/cart.spec.mjs", "src/__tests__/cart.js",
    "cart.test.ts", "shop/cart_test.go", "tests/sum.rs", "src/test/java/shop/CartTest.java", "shop/CartTests.java",
    "src/TestCart.java", "tests/test_sum.c", "src/test_sum.cc", "sum_test.cpp", "test/sum.c", "tests/check.h",
    "test.c", "src/tests.c", "test.cpp", "SumTest.cc", "src/TestSum.cpp",
]  # fmt: skip
SOURCES = [
    "main.py",
    "contest.js",
    "latest.ts",
    "testing.go",
    "src/Contest.java",
    "src/main/java/Testing.java",
    "sum.c",
    "src/contest.cpp",
]


def test_tests_of_every_language_are_tests_and_may_be_written_by_the_tester():
    only = load_company("default").phases["test_writing"].only

    def matches(path):
        return any(fnmatch.fnmatchcase(path, glob) for glob in only)

    assert [path for path in TESTS if not is_test(path) or not matches(path)] == []
    assert [path for path in SOURCES if is_test(path) or matches(path)] == []


def test_suspects_are_the_files_the_report_speaks_of():
    report = (
        "Verdict: failed.\nStarted as: python3 main.py\ntests.test_snake.test_x: <snake.Game object at 0x7> is wrong"
    )
    assert list(suspects(FILES, report)) == ["snake.py", "tests/test_snake.py"]
    assert list(suspects(FILES, 'File "shop/cart.py", line 3')) == ["shop/cart.py"]
    assert suspects(FILES, "it ran on for 20 s and showed nothing") == FILES


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("tests/test_cart.py", "from shop.cart import Cart\n"),
        ("tests/test_all.py", "import pytest\n\nfrom shop import cart, other\n"),
        ("cart_test.go", "package cart\n"),
        ("cart.test.js", "test('x', () => {})\n"),
        ("tests/all.spec.ts", 'import { add } from "../src/cart"\n'),
        ("tests/test_all.c", '#include "cart.h"\n'),
        ("src/test/java/CartTest.java", "class CartTest {}\n"),
    ],
)
def test_what_tests_try_is_what_they_import_or_are_named_after(test, text):
    source = "Cart.java" if test.endswith("java") else f"shop/cart.{test.rpartition('.')[2]}"
    files = {source: "x", "main.py": "cart", test: text}
    assert list(tried(files, [test])) == [source]
    assert tried(files, [source]) == {}, "a source tries nothing"


def test_imports_name_what_has_to_be_installed():
    assert imports(FILES) == "PIL (in shop/cart.py)\nnumpy (in shop/cart.py)\npytest (in tests/test_snake.py)"
    assert imports({"main.py": "import json\nimport other\n", "other.py": "x = (\n"}).startswith("nothing besides")
    assert imports({"main.py": "", "page.js": "import x from 'y'"}) == ""


CALLED = '''"""The till of a shop.

More about it.
"""
from dataclasses import dataclass
TAX, _SECRET = 0.2, 7
LIMIT: int = 3

@dataclass
class Item(Base, frozen=True):
    """One thing sold."""
    name: str
    price: float = 1.0

class Till:
    def __init__(self, start: float = 0.0, *, shop="corner"):
        self.money, self._log = start, []
        if shop:
            self.shop: str = shop
    @property
    def total(self) -> float:
        """What is in it."""
        secret_body = 4711
        return self.money * secret_body
    async def sell(self, item: Item, /, **more) -> None: self.money += item.price
    def _hidden(self): pass

def main() -> None:
    print("how it is done")
'''
OFFERED = """\
data.json
till.py: The till of a shop.
    LIMIT: int = 3
    @dataclass
    class Item(Base, frozen=True): One thing sold.
        name: str
        price: float = 1.0
    class Till
        attributes: money, shop
        def __init__(self, start: float=0.0, *, shop='corner')
        @property
        def total(self) -> float: What is in it.
        async def sell(self, item: Item, /, **more) -> None
    def main() -> None"""


def test_interfaces_are_what_a_caller_needs_and_no_body():
    files = {"till.py": CALLED, "data.json": "{}", "tests/test_till.py": "def test_it(): pass\n"}
    assert interfaces(files, 10_000) == OFFERED
    assert interfaces(files, 100) == "data.json\ntill.py"
    assert interfaces({"broken.py": "def f(:"}, 100) == "broken.py (cannot be read as Python)"
    assert list(only_tests(files)) == ["tests/test_till.py"]


@given(st.text() | st.just("(" * 5000) | st.just("f(" * 300 + ")" * 300))
def test_interfaces_of_any_text_at_all(text):
    assert interfaces({"any.py": text}, 10_000).startswith("any.py")
