"""One real product in each language of the table, built, started and tested in its own image; and broken ones."""

import pytest

from chatdev.errors import UserError
from chatdev.sandbox import climb
from chatdev.sandbox.entry import find_entry
from chatdev.sandbox.image.kits import build_kit, kit_tag, kits
from chatdev.sandbox.languages import languages
from chatdev.sandbox.recipe import recipe
from tests.sandbox.products import PRODUCTS, TESTED, kit, ready

BROKEN = {
    "c": ({"main.c": "int main(void) { return undefined_name; }\n"}, "undefined_name"),
    "go": ({"main.go": "package main\n\nfunc main() {\n\tx := 1\n}\n"}, "x declared"),
    "java": (
        {"Main.java": "public class Main {\n  public static void main(String[] a) { int x = 1 }\n}\n"},
        "';' expected",
    ),
    "rust": ({"main.rs": 'fn main() {\n    let x: i32 = "a";\n}\n'}, "mismatched types"),
    "typescript": ({"main.ts": "const x: number = 'a';\nconsole.log(x);\n"}, "not assignable"),
}


def as_bytes(files):
    return {name: text.encode() for name, text in files.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_built_started_and_verified(name, boxed, product, tmp_path):
    ready(name, boxed)
    config = boxed.config.with_(start_seconds=2.0, seconds=90)  # a compiler is slow on a busy machine
    report = climb(product(PRODUCTS[name]), boxed, config, evidence=tmp_path / "seen")
    assert report.verdict == "verified", report.for_model()
    assert [r.name for r in report.rungs][:3] == ["parse", "build" if name in kits() else "import", "start"]
    assert (tmp_path / "seen" / "start.stdout.txt").read_text().strip() in ("3", "55")
    tests = {r.name: r for r in report.rungs}["tests"]
    assert (tests.state, tests.summary) == ("passed", f"{TESTED[name]} tests pass")


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_the_compilers_own_words_come_back(name, docker, product):
    kit(name)
    files, words = BROKEN[name]
    report = climb(product(files), docker, docker.config.with_(seconds=90))
    assert report.verdict == "failed"
    assert words in report.for_model(), report.for_model()


@pytest.mark.docker
def test_a_kit_that_is_not_built_is_told_and_not_verified(docker, product, monkeypatch):
    monkeypatch.setattr("chatdev.sandbox.image.kits.kit_tag", lambda kit: f"no-such-kit-{kit}:1")
    report = climb(product(PRODUCTS["java"]), docker, docker.config)
    assert report.verdict == "unverified"
    assert "chatdev sandbox build java" in report.reason


@pytest.mark.docker
@pytest.mark.slow
def test_a_page_is_photographed_and_its_scripts_run(docker, product, program, tmp_path):
    kit("web")
    report = climb(program("html_only"), docker, docker.config, evidence=tmp_path / "seen")
    window = {r.name: r for r in report.rungs}["window"]
    assert report.verdict == "verified", report.for_model()
    assert window.state == "passed"
    assert (tmp_path / "seen" / "page.png").read_bytes().startswith(b"\x89PNG")
    page = "<!DOCTYPE html>\n<html><body><p>hi</p><script>undefinedThing();</script></body></html>\n"
    broken = climb(product({"index.html": page}), docker, docker.config)
    assert broken.verdict == "failed"
    assert "undefinedThing is not defined" in broken.reason
    blank = climb(
        product({"index.html": "<!DOCTYPE html>\n<html><body></body></html>\n"}, "blank"), docker, docker.config
    )
    assert blank.verdict == "failed"
    assert "blank" in blank.reason


@pytest.mark.docker
@pytest.mark.slow
def test_a_server_of_pages_is_photographed(docker, product, tmp_path):
    kit("web")
    text = (
        "from flask import Flask\napp = Flask(__name__)\n@app.route('/')\ndef page():\n"
        "    return '<h1 style=\"color: green\">Hello</h1>'\nif __name__ == '__main__':\n    app.run(port=5000)\n"
    )
    report = climb(product({"app.py": text}), docker, docker.config, evidence=tmp_path / "seen")
    assert report.verdict == "verified", report.for_model()
    assert {r.name: r.state for r in report.rungs}["window"] == "passed"


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name in kits()])
def test_the_recipe_is_found_from_the_files(name):
    found = find_entry(as_bytes(PRODUCTS[name]))
    assert found.kit == name
    assert found.kind == "built"


def test_names_are_no_options():
    found = recipe(as_bytes({"-o.c": "int main() {}", "@file.c": "int x;"}))
    assert "-o.c" not in found.build[-1]
    assert "./-o.c" in found.build[-1]
    assert "./@file.c" in found.build[-1]


def test_every_language_has_a_kit_of_its_own():
    tags = {kit_tag(name) for name in kits()}
    assert len(tags) == len([one for one in languages().values() if one.packages]) + 1


def test_an_unknown_kit_is_told():
    with pytest.raises(UserError, match="there is no kit 'cobol'"):
        build_kit("cobol")
