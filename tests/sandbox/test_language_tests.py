"""The tests that products in other languages bring: what fails, what is missed, what proves nothing, what deceives."""

import time

import pytest

from chatdev.sandbox import climb
from chatdev.sandbox.entry import find_entry
from chatdev.sandbox.languages import languages
from chatdev.sandbox.recipe import without_comments
from tests.sandbox.products import PRODUCTS, ready


@pytest.fixture
def climbed(boxed, product):
    """Climb with a product of a language and other files; returns the report and its rung of tests."""

    def go(name, files=None, without=(), of=None):
        ready(name, boxed)
        files = {n: t for n, t in (of or PRODUCTS[name]).items() if not n.startswith(tuple(without))} | (files or {})
        report = climb(product(files), boxed, boxed.config.with_(start_seconds=2.0, seconds=90))
        return report, next(r for r in report.rungs if r.name == "tests")

    return go


WRONG = [
    ("c", "src/sum.c", "a + b", "a - b", "tests/test_sum.c:10"),
    ("c++", "till.cpp", "a + b", "a - b", "terminate called"),
    ("go", "main_test.go", "!= 3", "== 3", "TestAdd"),
    ("java", "src/shop/Till.java", "a + b", "a - b", "TillTest.sums"),
    ("javascript", "add.js", "a + b", "a - b", "adds # one"),
    ("rust", "src/lib.rs", "a + b", "a - b", "sums"),
    ("typescript", "sum.ts", "a + b", "a - b", "sums"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "right", "wrong", "test"), WRONG, ids=[case[0] for case in WRONG])
def test_a_failing_test_fails_by_its_name(name, file, right, wrong, test, climbed):
    report, tests = climbed(name, {file: PRODUCTS[name][file].replace(right, wrong)})
    assert (report.verdict, tests.state) == ("failed", "failed")
    assert "wrong sum" in report.for_model(), report.for_model()
    assert test in report.for_model().replace("\\", "")


NEEDS = [
    ("javascript", "a.test.js", "require('chai');\n", "need chai"),
    ("javascript", "a.test.js", "1 + 1;\n", "no test was run"),
    ("javascript", "a.test.js", "require('node:test').describe('x', () => {});\n", "no test was run"),
    ("javascript", "a.test.js", "describe('x', () => { it('y', () => {}); });\n", "runner that brings describe"),
    ("javascript", "a.test.js", "require('node:test')('y', () => { expect(1).toBe(1); });\n", "that brings expect"),
    (
        "javascript", "a.test.js",
        "const { test } = require('node:test');\ntest('one', () => {\n"
        "  for (let i = 0; i < 100; i++) console.log('x'.repeat(1 << 20));\n  process.exit(0);\n});\n",
        "print too much",
    ),
    ("typescript", "a.test.ts", "import { test } from 'vitest';\ntest('one', () => {});\n", "need vitest"),
    ("typescript", "a.test.ts", "describe('x', () => { it('y', () => {}); });\n", "runner that brings describe"),
    ("typescript", "a.test.ts", "export const it = 1;\n", "no test was run"),
    ("java", "ATest.java", "import org.mockito.Mockito;\nclass ATest { @org.junit.Test void x() {} }\n", "org.mockito"),
    ("java", "ATest.java", "class ATest { public static void main(String[] a) { System.exit(0); } }\n", "no test was"),
    ("c", "a_test.c", "#include <criterion/criterion.h>\nTest(a, b) {}\n", "need criterion/criterion.h"),
    ("c", "a_test.c", "int tested;\n", "need a main function"),
    ("c++", "a_test.cpp", "#include <gtest/gtest.h>\nTEST(A, B) { EXPECT_EQ(1, 1); }\n", "need gtest/gtest.h"),
    ("c++", "a_test.cpp", '#define CATCH_CONFIG_MAIN\n#include "catch.hpp"\n', "need catch.hpp"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "text", "why"), NEEDS, ids=[f"{case[0]}-{case[3]}" for case in NEEDS])
def test_tests_that_need_what_is_not_there_or_are_none_prove_nothing(name, file, text, why, climbed):
    report, tests = climbed(name, {file: text}, without=("tests/", "src/test/", "main_test", "other.spec"))
    assert (report.verdict, tests.state) == ("unverified", "unverified"), report.for_model()
    assert why in tests.summary
    assert tests.mendable


UNBUILT = [
    ("c", "a_test.c", '#include "nothing.h"\nint main(void) {}\n', "nothing.h"),
    ("java", "ATest.java", "import shop.Nothing;\nclass ATest { @org.junit.Test void x() {} }\n", "cannot find symbol"),
    ("typescript", "a.test.ts", "import { nothing } from './sum';\n", "no exported member"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "text", "why"), UNBUILT, ids=[case[0] for case in UNBUILT])
def test_tests_that_do_not_build_fail_in_the_compilers_own_words(name, file, text, why, climbed):
    report, tests = climbed(name, {file: text})
    assert (tests.state, "do not build" in tests.summary) == ("failed", True), tests.summary
    assert why in report.for_model()


LEAVES = {
    "c": {"src/sum.c": '#include <stdio.h>\n#include <stdlib.h>\nint sum(int a, int b) { puts("ok"); exit(0); }\n',
        "src/main.c": "#include <stdio.h>\nint twice(int a) { return a; }\nint main(void) { puts(\"3\"); }\n"},
    "c++": {"till.cpp": '#include <cstdlib>\n#include "till.hpp"\nint Till::sum(int a, int b) { std::exit(0); }\n',
        "main.cpp": '#include <iostream>\nint main() { std::cout << 3; }\n'},
    "java": {"src/shop/Till.java": 'package shop;\nclass Till {\n    int sum(int a, int b) {\n'
        '        System.out.println("\\nok TillTest.sums");\n        System.exit(0);\n        return 0;\n    }\n}\n',
        "src/shop/Main.java": "package shop;\npublic class Main {\n"
        "    public static void main(String[] words) { System.out.println(3); }\n}\n"},
    "javascript": {"add.js": "console.log('ok 1 - adds # one');\nexports.add = () => process.exit(0);\n",
        "main.js": "console.log(3);\n"},
    "go": {"main.go": PRODUCTS["go"]["main.go"].replace("return a + b", "syscall.Exit(0); return a").replace(
        'import "fmt"', 'import ("fmt"; "syscall")').replace("fmt.Println(Add(1, 2))", "fmt.Println(3)")},
    "rust": {"src/lib.rs": "pub fn add(_a: i32, _b: i32) -> i32 { std::process::exit(0) }\n"},
    "typescript": {"sum.ts": "export function sum(a: number, b: number): number { process.exit(0); }\n",
        "main.ts": "console.log(3);\n"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAVES)
def test_a_program_that_leaves_with_status_0_has_not_passed_its_tests(name, climbed):
    report, tests = climbed(name, LEAVES[name])
    assert (tests.state, "did not come to its end" in tests.summary) == ("failed", True), report.for_model()


REWRITES = {
    "c": {"src/sum.c": "#include <stdio.h>\nint sum(int a, int b) { return a - b; }\n",
        "src/main.c": '#include <stdio.h>\nint twice(int a) { return 2 * a; }\nint main(void) {\n'
        '    FILE *mine = fopen("src/sum.c", "w"), *test = fopen("tests/test_sum.c", "w");\n'
        '    fputs("int sum(int a, int b) { return a + b; }\\n", mine);\n'
        '    if (test) fputs("int main(void) {}\\n", test);\n    puts("3");\n}\n'},
    "javascript": {"add.js": "const fs = require('fs');\nfor (const name of fs.readdirSync('tests'))\n"
        "  try { fs.writeFileSync('tests/' + name, \"require('node:test')('adds # one', () => {})\"); } catch {}\n"
        "fs.rmSync('main.js', { force: true });\nexports.add = (a, b) => a - b;\n", "main.js": "console.log(3);\n"},
    "typescript": {"sum.ts": 'import * as fs from "fs";\nconst fake = "require(\'node:test\')";\n'
        'for (const name of ["tests/sum.test.ts", "tests/sum.test.js"])\n  try {\n'
        "    fs.writeFileSync(name, `for (const n of ['sums', 'waits']) ${fake}(n, () => {});`);\n  } catch {}\n"
        "export function sum(a: number, b: number): number { return a - b; }\n"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", REWRITES)
def test_what_a_program_writes_over_its_sources_and_tests_does_not_pass_them(name, climbed):
    report, tests = climbed(name, REWRITES[name])
    assert tests.state == "failed", report.for_model()
    assert "wrong sum" in report.for_model()


@pytest.mark.slow
def test_one_test_cannot_change_what_the_compiler_made_of_another(climbed):
    """The first file of tests replaces the other one, as it was compiled, with tests that pass."""
    first = """\
import test from "node:test";
import * as fs from "fs";
test("first", () => {
  for (const name of ["b.test.js", "b.test.ts"])
    try { fs.writeFileSync(name, "require('node:test')('second', () => {})"); } catch {}
});
"""
    second = """\
import test from "node:test";
import { sum } from "./sum";
test("second", async () => {
  if (sum(1, 1) !== 3) throw new Error("not three");
});
"""
    report, tests = climbed("typescript", {"a.test.ts": first, "b.test.ts": second}, without=("tests/",))
    assert (tests.state, "second" in tests.summary) == ("failed", True), report.for_model()


DECIDES = {
    "c": {"include/sum.h": "#define NDEBUG\nint sum(int a, int b);\n"},
    "c++": {"till.hpp": "#define exit(status) _exit(0)\nstruct Till { int sum(int a, int b); };\n"},
}


@pytest.mark.parametrize("name", DECIDES)
def test_a_header_that_turns_tests_off_is_told(name, climbed):
    report, tests = climbed(name, DECIDES[name])
    assert (report.verdict, tests.state) == ("unverified", "unverified")
    assert "decides itself what its tests say" in tests.summary


OWN = {
    "c": {"include/assert.h": "#define NOTHING\n", "include/wrong.h": "void assert(int);\n",
        "src/sum.c": "void assert(int x) {}\nint sum(int a, int b) { return a - b; }\n"},
    "java": {"src/shop/Till.java": "package shop;\nclass Till { int sum(int a, int b) { return a - b; } }\n",
        "src/org/junit/jupiter/api/Assertions.java": "package org.junit.jupiter.api;\npublic class Assertions {\n"
        "    public static void assertEquals(int a, int b) {}\n"
        "    public static void assertEquals(int a, int b, String why) {}\n}\n"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_assertions_of_the_products_own_judge_nothing(name, climbed):
    report, tests = climbed(name, OWN[name])
    assert tests.state == "failed", report.for_model()


def test_a_program_called_like_a_test_is_a_program(climbed):
    text = 'public class TypingTest {\n    public static void main(String[] a) { System.out.println("type!"); }\n}\n'
    report, tests = climbed("java", of={"TypingTest.java": text})
    assert (report.verdict, tests.state) == ("verified", "skipped"), report.for_model()
    found = find_entry({"typing_test.c": b"int main(void) {}\n", "words.c": b"int words;\n"})
    assert (found.file, found.tests) == ("typing_test.c", ())


def test_more_files_of_tests_than_are_run_are_told(climbed):
    files = {f"tests/t{number}.c": "int main(void) {}\n" for number in range(30)}
    report, tests = climbed("c", files)
    assert (report.verdict, tests.state) == ("unverified", "unverified")
    assert "more than 30 files" in tests.summary


ENDLESS = [
    "\n",
    "/*",
    "'\\",
    "`\\",
    "@Test ",
    "#[test]\n",
    "#[a] ",
    "# ",
    "test('",
    "main ",
    "Assertion ",
    "ok 1 - a\n",
    "pub ",
]


@pytest.mark.parametrize("piece", ENDLESS)
def test_no_source_and_no_output_keeps_the_judge_busy(piece):
    text, begun = piece * 50_000, time.monotonic()
    without_comments(text)
    for language in languages().values():
        how = language.tests
        patterns = (language.main, how.each, how.named, how.told, how.fails, how.unless, how.spoils)
        for pattern in [*filter(None, patterns), *(found for found, _ in how.lacks)]:
            assert sum(1 for _ in pattern.finditer(text)) <= 50_000
    assert time.monotonic() - begun < 20


def test_comments_and_strings_are_told_apart():
    text = "a('it // is') // b\n/* c\n*/ d(`x\n`, \"/*\") e 'f\n/* open"
    assert without_comments(text) == "a('it // is') \n d(, \"/*\") e 'f\n/* open"
