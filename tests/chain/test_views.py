"""What a phase is shown of the files when it does not need all of them."""

from chatdev.chain.views import imports, sources, suspects

FILES = {
    "main.py": "import tkinter\nfrom snake import Game\n",
    "snake.py": "import random\n",
    "shop/cart.py": "import numpy as np\nfrom PIL import Image\n",
    "tests/test_snake.py": "import pytest\nfrom snake import Game\n",
}


def test_sources_are_the_files_without_the_tests():
    assert list(sources(FILES)) == ["main.py", "snake.py", "shop/cart.py"]
    assert sources({"tests/test_a.py": ""}) == {"tests/test_a.py": ""}


def test_suspects_are_the_files_the_report_speaks_of():
    report = (
        "Verdict: failed.\nStarted as: python3 main.py\ntests.test_snake.test_x: <snake.Game object at 0x7> is wrong"
    )
    assert list(suspects(FILES, report)) == ["snake.py", "tests/test_snake.py"]
    assert list(suspects(FILES, 'File "shop/cart.py", line 3')) == ["shop/cart.py"]
    assert suspects(FILES, "it ran on for 20 s and showed nothing") == FILES


def test_imports_name_what_has_to_be_installed():
    assert imports(FILES) == "PIL (in shop/cart.py)\nnumpy (in shop/cart.py)\npytest (in tests/test_snake.py)"
    assert imports({"main.py": "import json\nimport other\n", "other.py": "x = (\n"}).startswith("nothing besides")
    assert imports({"main.py": "", "page.js": "import x from 'y'"}) == ""
