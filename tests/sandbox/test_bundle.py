"""Reading a folder: only plain files, never through links, bounded, and hashed by content."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.sandbox import bundle
from chatdev.sandbox.bundle import bundle_of, contents, pack

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX links and pipes")


def test_what_is_read_comes_back(product):
    folder = product({"main.py": "print(1)\n", "a/b c/ü.txt": b"\xff\x00", ".env": "x"})
    assert contents(pack(folder)) == {"main.py": b"print(1)\n", "a/b c/ü.txt": b"\xff\x00", ".env": b"x"}


def test_version_control_and_caches_stay_behind(product):
    folder = product(
        {
            "main.py": "",
            ".git/config": "",
            ".chatdev/journal.jsonl": "",
            "__pycache__/x.pyc": "",
            "a/node_modules/b.js": "",
        }
    )
    assert pack(folder).files == ("main.py",)


@posix
def test_links_are_never_followed(product, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = product({"main.py": ""})
    (folder / "link.txt").symlink_to(secret)
    (folder / "out").symlink_to("/")
    os.mkfifo(folder / "pipe")
    packed = pack(folder)
    assert packed.files == ("main.py",)
    assert b"secret" not in packed.tar
    assert any(line.startswith("link.txt") for line in packed.left_out)
    assert any(line.startswith("out") for line in packed.left_out)
    assert any(line.startswith("pipe") for line in packed.left_out)


def test_too_many_files_are_one_clear_error(product, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_FILES", 3)
    with pytest.raises(UserError, match="more than 3 files"):
        pack(product({f"{n}.txt": "" for n in range(4)}))


def test_too_many_bytes_are_one_clear_error(product, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_BYTES", 1024**2)
    with pytest.raises(UserError, match="1 MiB"):
        pack(product({"a.bin": b"x" * 700_000, "b.bin": b"x" * 700_000}))
    with pytest.raises(UserError, match="1 MiB"):
        pack(product({"one.bin": b"x" * 1_100_000}, "other"))


def test_no_folder_is_one_clear_error(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        pack(tmp_path / "none")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.txt", fullmatch=True), st.binary(max_size=50), max_size=5
    )
)
def test_the_fingerprint_is_the_content(files):
    first = bundle_of(files)
    assert contents(first) == files
    assert first.fingerprint == bundle_of(dict(reversed(files.items()))).fingerprint
    for name in files:
        assert bundle_of({**files, name: files[name] + b"x"}).fingerprint != first.fingerprint


def test_moving_a_border_between_name_and_content_changes_the_fingerprint():
    assert bundle_of({"a": b"bc"}).fingerprint != bundle_of({"ab": b"c"}).fingerprint
