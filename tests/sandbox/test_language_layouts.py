"""Products as they are commonly laid out: where tests, headers and programs lie, what is only called a test."""

import pytest

from chatdev.sandbox import climb
from chatdev.sandbox.entry import find_entry
from tests.sandbox.products import ready


@pytest.fixture
def judged(boxed, product):
    """Climb with the files of a product in a language; returns the report and its rung of tests."""

    def go(language, files):
        ready(language, boxed)
        report = climb(product(files), boxed, boxed.config.with_(start_seconds=2.0, seconds=90))
        return report, next(r for r in report.rungs if r.name == "tests")

    return go


ADD_H, ADD_C = "int add(int a, int b);\n", "int add(int a, int b) { return a + b; }\n"
C_MAIN = '#include <stdio.h>\n#include "{}"\nint main(void) {{ printf("%d\\n", add(1, 2)); }}\n'
C_TEST = '#include <assert.h>\n#include "{}"\nint main(void) {{ assert(add(1, 2) == 3); }}\n'
CPP_ADD = "#include <concepts>\ntemplate <std::integral T> T add(T a, T b) { return a + b; }\n"
GO = {
    "go.mod": "module example.com/sum\n\ngo 1.19\n",
    "sum/sum.go": 'package sum\n\nimport "fmt"\n\nfunc Add(a, b int) int {\n\tfmt.Print("adding")\n\treturn a + b\n}\n',
    "sum/sum_test.go": 'package sum\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n'
    '\tif Add(1, 2) != 3 {\n\t\tt.Fatal("wrong")\n\t}\n}\n',
    "cmd/sum/main.go": 'package main\n\nimport (\n\t"fmt"\n\n\t"example.com/sum/sum"\n)\n\n'
    "func main() { fmt.Println(sum.Add(1, 2)) }\n",
}
RUST = {
    "Cargo.toml": '[package]\nname = "sum"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/main.rs": 'mod sum;\nfn main() { println!("{}", sum::add(1, 2)); }\n',
    "src/sum.rs": "use std::io::Write;\npub fn add(a: i32, b: i32) -> i32 {\n"
    '    write!(std::io::stdout(), "adding").unwrap();\n    a + b\n}\n\n'
    "#[cfg(test)]\nmod tests {\n    use super::*;\n"
    "    #[test]\n    fn adds() { assert_eq!(add(1, 2), 3); }\n}\n",
}
RIGHT = {
    "headers below include": ("c", {"include/sum/add.h": ADD_H, "src/add.c": '#include "sum/add.h"\n' + ADD_C,
        "src/main.c": C_MAIN.format("sum/add.h"), "tests/test_add.c": C_TEST.format("sum/add.h")}),
    "headers from the root": ("c", {"src/add.h": ADD_H, "src/add.c": '#include "add.h"\n' + ADD_C,
        "src/main.c": C_MAIN.format("add.h"), "tests/test_add.c": C_TEST.format("src/add.h")}),
    "test.c": ("c", {"add.h": ADD_H, "add.c": ADD_C, "main.c": C_MAIN.format("add.h"),
        "test.c": C_TEST.format("add.h")}),
    "C++20": ("c++", {"add.hpp": CPP_ADD, "main.cpp": C_MAIN.format("add.hpp"),
        "AddTest.cpp": C_TEST.format("add.hpp")}),
    "settings, JSON and ES2022": ("typescript", {
        "vitest.config.ts": "import { defineConfig } from 'vitest/config';\nexport default defineConfig({});\n",
        "names.json": '{"sum": "sum"}\n',
        "main.ts": "import { add } from './add';\nimport names from './names.json';\n"
        "console.log(names.sum, [add(1, 2)].at(-1), 'a-b'.replaceAll('-', '+'));\n",
        "add.ts": "export const add = (a: number, b: number): number => a + b;\n",
        "add.test.ts": "import { test } from 'node:test';\nimport assert from 'node:assert';\n"
        "import { add } from './add';\ntest('adds', () => assert.equal([add(1, 2)].at(-1), 3));\n"}),
    "go below cmd, which prints": ("go", GO),
    "rust beside the sources, which prints": ("rust", RUST),
    "a part called like a test": ("java", {
        "src/Main.java": "public class Main {\n    public static void main(String[] a) {\n"
        "        System.out.println(new TestResult(3).score());\n    }\n}\n",
        "src/TestResult.java": "public class TestResult {\n    private final int score;\n"
        "    TestResult(int score) { this.score = score; }\n    int score() { return score; }\n}\n",
        "test/TestResultTest.java": "import static org.junit.jupiter.api.Assertions.assertEquals;\n"
        "import org.junit.jupiter.api.Test;\nclass TestResultTest {\n"
        "    @Test void scores() { assertEquals(3, new TestResult(3).score()); }\n}\n"}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_product_is_verified_and_its_tests_are_run(name, judged):
    report, tests = judged(*RIGHT[name])
    assert report.verdict == "verified", report.for_model()
    assert (tests.state, tests.summary) == ("passed", "1 tests pass")


@pytest.mark.slow
def test_a_failing_test_beside_the_sources_of_rust_fails_by_its_name(judged):
    report, tests = judged("rust", RUST | {"src/sum.rs": RUST["src/sum.rs"].replace("a + b", "a - b")})
    assert (report.verdict, tests.state) == ("failed", "failed")
    assert "tests::adds" in tests.summary


TESTIFY = 'package sum\n\nimport (\n\t"testing"\n\n\t"github.com/stretchr/testify/assert"\n)\n\n' + (
    "func TestAdd(t *testing.T) { assert.Equal(t, 3, Add(1, 2)) }\n"
)
NEEDS = {
    "a package": ("go", GO | {"sum/sum_test.go": TESTIFY}, "need github.com/stretchr/testify/assert, which"),
    "a go.mod": ("go", {"main.go": "package main\n\nfunc main() { println(3) }\n",
        "main_test.go": 'package main\n\nimport "testing"\n\nfunc TestIt(t *testing.T) {}\n'}, "need a go.mod"),
    "a Cargo.toml": ("rust", {"main.rs": 'fn main() { println!("3"); }\n#[test]\nfn it() {}\n'}, "need a Cargo.toml"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_what_the_tools_of_a_language_miss_is_told_and_not_held_against_the_product(name, judged):
    language, files, why = NEEDS[name]
    report, tests = judged(language, files)
    assert (tests.state, tests.mendable) == ("unverified", True), report.for_model()
    assert why in tests.summary


def test_a_test_that_the_program_names_is_still_a_test():
    main = b"public class Main { public static void main(String[] a) { SumTest.all(); } }\n"
    files = {"Main.java": main, "SumTest.java": b"class SumTest { @org.junit.Test public void sums() {} }\n"}
    assert find_entry(files).tests == ("SumTest.java",)
    assert find_entry(files | {"SumTest.java": b"class SumTest { static void all() {} }\n"}).tests == ()
