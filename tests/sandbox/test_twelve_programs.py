"""Twelve programs that the reference tool misjudges: all twelve are judged rightly, on real engines."""

import pytest

from chatdev.sandbox import climb

EXPECTED = {
    "exit_one_silent": ("failed", "exit status 1"),
    "exit_one_message": ("failed", "ERROR: no configuration found"),
    "syntax_error": ("failed", "main.py:1: Python syntax error"),
    "missing_main": ("failed", "there is no entry point"),
    "crash_after_4s": ("failed", "main.py:5: ZeroDivisionError: division by zero"),
    "endless_loop": ("failed", "showed no window, no port, no output and asked for nothing"),
    "sigterm_ignored": ("failed", "showed no window, no port, no output and asked for nothing"),
    "crash_after_64k": ("failed", "main.py:6: RuntimeError: the end of the line"),
    "handled_traceback": ("verified", "start"),
    "space in the name": ("verified", "start"),
    "waits_for_input": ("verified", "start"),
    "html_only": ("verified", "start"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict(name, boxed, program, tmp_path):
    verdict, words = EXPECTED[name]
    if name == "html_only" and boxed.lacks("web"):  # nobody could look at it
        verdict, words = "unverified", "not photographed"
    report = climb(program(name), boxed, boxed.config, evidence=tmp_path / "evidence")
    assert report.verdict == verdict, report.for_model()
    assert words in report.reason
    if verdict == "failed":
        assert words in report.for_model(800)


def test_an_endless_program_is_gone_afterwards(boxed, program, processes):
    folder = program("sigterm_ignored")
    (folder / "main.py").rename(folder / "unmistakable_name.py")
    report = climb(folder, boxed, boxed.config)
    assert report.entry == "python3 unmistakable_name.py"
    assert "ignored SIGTERM" in report.for_model()
    assert "unmistakable_name" not in processes()


def test_the_report_of_a_talkative_crash_holds_the_error_within_the_limit(boxed, program):
    report = climb(program("crash_after_64k"), boxed, boxed.config)
    assert "RuntimeError: the end of the line" in report.for_model(300)
    text = report.for_model(2000)
    assert len(text) <= 2000
    assert "RuntimeError: the end of the line" in text
    assert "line 000000" in text
