"""Product folders: names from strangers become harmless folder names, and products are found again."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.run import product as products
from chatdev.run.files import write_json
from chatdev.run.lock import ProductLock


@given(st.text())
def test_a_slug_is_always_a_plain_folder_name(text):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", products.slug(text))
    assert len(products.slug(text)) <= 40


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Build a snake game!", "snake-game"),
        ("; rm -rf ~", "rm-rf"),
        ("../../etc/passwd", "etc-passwd"),
        ("", "product"),
        ("\u65e5\u672c\u8a9e", "product"),
        ("x" * 300, "x" * 40),
        ("Überraschung für Café", "uberraschung-fur-cafe"),
    ],
)
def test_slugs(text, name):
    assert products.slug(text) == name


def test_two_products_of_one_name_get_two_folders(tmp_path):
    first, second = products.create(tmp_path, "same"), products.create(tmp_path, "same")
    assert first.root != second.root
    assert first.root.parent == second.root.parent == tmp_path


def test_what_is_written_may_name_a_file_whose_name_is_no_text(tmp_path):
    write_json(tmp_path / "report.json", {"entry": "python3 caf\udce9.py"})
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == {"entry": "python3 caf\udce9.py"}


def test_a_product_is_found_by_path_name_and_beginning(tmp_path):
    made = products.create(tmp_path, "snake")
    made.journal.write_text("", encoding="utf-8")
    for name in (str(made.root), made.name, "snake"):
        assert products.find(tmp_path, name).root == made.root
    with pytest.raises(UserError, match=r'there is no product "snaek".*Did you mean "snake-'):
        products.find(tmp_path, "snaek")
    for name in ("My Game", "Jeu éléphant"):
        made.root.rename(tmp_path / name)
        made = products.Product(tmp_path / name)
        assert [products.find(tmp_path, asked).root for asked in (name, name.lower(), name[:4])] == [made.root] * 3


def test_a_second_writer_is_refused_with_the_pid_of_the_first(tmp_path):
    import os

    with (
        ProductLock(tmp_path / ".chatdev"),
        pytest.raises(UserError, match=rf"another process \(pid {os.getpid()}\)"),
        ProductLock(tmp_path / ".chatdev"),
    ):
        pass
    with ProductLock(tmp_path / ".chatdev"):
        assert (tmp_path / ".chatdev" / "lock").read_text(encoding="utf-8") == str(os.getpid())
