"""One page for a whole run: complete, readable by itself, and without a way for what models said to become markup."""

import json
from html.parser import HTMLParser

import pytest

from tests.chain.house import chatdev, only_product

HOSTILE = '</pre><script>alert(1)</script><img src=x onerror="alert(2)"> {{ task }} \ud800 &amp; \x1b[2J'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


class Reader(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a run whose model, task and file names are hostile."""
    folder = tmp_path_factory.mktemp("export")
    say = f'{HOSTILE}\n<file path="main.py">\nprint("<b>fine</b>")\n</file>\n'
    (folder / "s.yaml").write_text(json.dumps({"replies": [say]}), encoding="utf-8")
    task = "<script>alert(3)</script> build"
    done = chatdev(
        "--task", task, "--company", "solo", "--model", "scripted:s.yaml", "--sandbox", "host", "-q", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    product = only_product(folder)
    shots = product / ".chatdev" / "evidence" / "verify"
    shots.mkdir(parents=True, exist_ok=True)
    (shots / 'window".png').write_bytes(PNG)
    (shots / "no-picture.png").write_bytes(b"<svg onload=alert(4)>")
    exported = chatdev("export", product.name, cwd=folder)
    assert exported.stdout.strip() == f"{product.name}.html"
    return (folder / f"{product.name}.html").read_text(encoding="utf-8")


def test_nothing_that_was_said_becomes_markup(page):
    read = Reader(page)
    assert "script" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "alert(1)" in read.text
    assert "<script>alert(3)</script> build" in read.text
    assert "{{ task }}" in read.text
    assert 'print("<b>fine</b>")' in read.text


def test_the_page_needs_nothing_else(page):
    read = Reader(page)
    sources = [value for name, value in read.attributes if name in ("src", "href", "action", "data")]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert not {"link", "iframe", "object", "base", "form"} & set(read.tags)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page


def test_everything_of_the_run_is_in_it(page):
    text = Reader(page).text
    for part in ("Solo programming [solo]", "verified: passed", "commit ", "+print(", "start: passed", "Programmer"):
        assert part in text
    assert "Chief Technology Officer → Programmer" in text


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    (tmp_path / "s.yaml").write_text(json.dumps({"replies": [{"say": "x", "hears": "never"}]}), encoding="utf-8")
    chatdev("--task", "x", "--company", "solo", "--model", "scripted:s.yaml", "--sandbox", "none", cwd=tmp_path)
    product = only_product(tmp_path)
    done = chatdev("export", product.name, "--to", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "There are no files." in done.stdout
    refused = chatdev("export", product.name, "--to", "/proc/nowhere/x.html", cwd=tmp_path)
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr
