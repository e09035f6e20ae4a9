"""One real product in each language of the table, built, started and tested in its own image; and broken ones."""

import os

import pytest

from chatdev.errors import UserError
from chatdev.sandbox import climb
from chatdev.sandbox.entry import find_entry
from chatdev.sandbox.image import image_present
from chatdev.sandbox.image.kits import build_kit, kit_tag, kits
from chatdev.sandbox.languages import languages, recipe

PRODUCTS = {
    "c": {
        "src/main.c": '#include <stdio.h>\n#include "sum.h"\nint main(void) { printf("%d", sum(1, 2)); return 0; }\n',
        "src/sum.c": '#include "sum.h"\nint sum(int a, int b) { return a + b; }\n',
        "src/sum.h": "int sum(int a, int b);\n",
    },
    "c++": {"main.cpp": '#include <iostream>\nint main() { std::string n; std::cout << "name? "; std::cin >> n; }\n'},
    "go": {
        "go.mod": "module hello\n\ngo 1.19\n",
        "main.go": 'package main\n\nimport "fmt"\n\nfunc Add(a, b int) int { return a + b }\n\n'
        "func main() { fmt.Println(Add(1, 2)) }\n",
        "main_test.go": 'package main\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n'
        '\tif Add(1, 2) != 3 {\n\t\tt.Fatal("wrong sum")\n\t}\n}\n',
    },
    "rust": {
        "Cargo.toml": '[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/main.rs": 'fn main() {\n    println!("{}", (1..=10).sum::<i32>());\n}\n',
    },
    "java": {
        "src/shop/Main.java": "package shop;\npublic class Main {\n    public static void main(String[] args) {\n"
        "        System.out.println(new Till().sum(1, 2));\n    }\n}\n",
        "src/shop/Till.java": "package shop;\nclass Till {\n    int sum(int a, int b) { return a + b; }\n}\n",
    },
    "javascript": {
        "main.js": "const { add } = require('./add');\nconsole.log(add(1, 2));\n",
        "add.js": "exports.add = (a, b) => a + b;\n",
        "tests/-add it.test.js": "const { describe, it, test } = require('node:test');\n"
        "const assert = require('node:assert');\nconst { add } = require('../add');\n"
        "/*\ntest('in a comment', () => {});\n*/\n"
        "test('adds # one', () => {\n  assert.strictEqual(add(1, 2), 3, 'wrong sum');\n});\n"
        "describe('more', () => {\n  it('doesn\\'t mind', () => {});\n});\n",
    },
    "typescript": {
        "main.ts": 'import { sum } from "./sum";\nconst total: number = sum(1, 2);\nconsole.log(total);\n',
        "sum.ts": "export function sum(a: number, b: number): number {\n  return a + b;\n}\n",
    },
}
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


def kit(name):
    """Build a kit's image when it is not there (in CI it must succeed)."""
    try:
        if not image_present(kit_tag(name)):
            build_kit(name)
    except UserError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def as_bytes(files):
    return {name: text.encode() for name, text in files.items()}


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_built_started_and_verified(name, docker, product, tmp_path):
    if name in kits():
        kit(name)
    config = docker.config.with_(start_seconds=2.0, seconds=90)  # a compiler is slow on a busy machine
    report = climb(product(PRODUCTS[name]), docker, config, evidence=tmp_path / "seen")
    assert report.verdict == "verified", report.for_model()
    assert [r.name for r in report.rungs][:3] == ["parse", "build" if name in kits() else "import", "start"]
    if name not in ("c++",):
        assert (tmp_path / "seen" / "start.stdout.txt").read_text().strip() in ("3", "55")
    if name in ("go", "javascript"):
        assert {r.name: r.state for r in report.rungs}["tests"] == "passed"


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
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file", "right", "wrong", "test"),
    [
        ("go", "main_test.go", "!= 3", "== 3", "TestAdd"),
        ("javascript", "add.js", "a + b", "a - b", "adds # one"),
    ],
)
def test_a_failing_test_fails_by_its_name(name, file, right, wrong, test, docker, product):
    if name in kits():
        kit(name)
    files = PRODUCTS[name] | {file: PRODUCTS[name][file].replace(right, wrong)}
    report = climb(product(files), docker, docker.config.with_(seconds=90))
    assert report.verdict == "failed"
    assert "wrong sum" in report.for_model()
    assert test in report.for_model().replace("\\", "")


NOTHING = [
    ("require('chai');\n", "need chai"),
    ("1 + 1;\n", "no test was run"),
    (
        "const { test } = require('node:test');\ntest('one', () => {\n"
        "  for (let i = 0; i < 100; i++) console.log('x'.repeat(1 << 20));\n  process.exit(0);\n});\n",
        "print too much",
    ),
]


@pytest.mark.docker
def test_tests_that_need_a_package_or_are_none_prove_nothing(docker, product):
    product_of = {k: v for k, v in PRODUCTS["javascript"].items() if "tests" not in k}
    for number, (text, why) in enumerate(NOTHING):
        report = climb(product(product_of | {"a.test.js": text}, f"p{number}"), docker, docker.config)
        tests = next(r for r in report.rungs if r.name == "tests")
        assert (report.verdict, tests.state, why in tests.summary) == ("unverified",) * 2 + (True,), report.for_model()


LEAVES = {
    "javascript": {"add.js": "console.log('ok 1 - adds # one');\nexports.add = () => process.exit(0);\n",
        "main.js": "console.log(3);\n"},
    "go": {"main.go": PRODUCTS["go"]["main.go"].replace("return a + b", "syscall.Exit(0); return a").replace(
        'import "fmt"', 'import ("fmt"; "syscall")').replace("fmt.Println(Add(1, 2))", "fmt.Println(3)")},
    "rust": {
        "Cargo.toml": PRODUCTS["rust"]["Cargo.toml"], "src/main.rs": PRODUCTS["rust"]["src/main.rs"],
        "src/lib.rs": "pub fn add(_a: i32, _b: i32) -> i32 { std::process::exit(0) }\n",
        "tests/sum.rs": "#[test]\nfn sums() {\n    assert_eq!(hello::add(1, 2), 3);\n}\n",
    },
}  # fmt: skip


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("name", LEAVES)
def test_a_program_that_leaves_with_status_0_has_not_passed_its_tests(name, docker, product):
    if name in kits():
        kit(name)
    files = PRODUCTS[name] | LEAVES[name]
    report = climb(product(files), docker, docker.config.with_(seconds=90))
    tests = next(r for r in report.rungs if r.name == "tests")
    assert (tests.state, "did not come to its end" in tests.summary) == ("failed", True), report.for_model()
    if name == "rust":
        right = climb(
            product(files | {"src/lib.rs": "pub fn add(a: i32, b: i32) -> i32 { a + b }\n"}, "right"),
            docker,
            docker.config.with_(seconds=90),
        )
        assert right.verdict == "verified", right.for_model()
        assert next(r for r in right.rungs if r.name == "tests").summary == "1 tests pass"


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
