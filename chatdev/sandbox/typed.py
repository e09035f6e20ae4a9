"""Did only the typed lines end a program? It may refuse an answer that it did not want; its own errors stay errors."""

from __future__ import annotations

import re
from typing import Any

from chatdev.sandbox.job import Run
from chatdev.sandbox.traces import TRACEBACK, has_traceback, has_unhandled, last_error, plain

_NO = re.compile(
    r"\b(?:in|un)valid|\bnot (?:a |an )?(?:valid|number|integer|allowed|known|recogni[sz]ed|possible)"
    r"|\bmust (?:be|have)\b|\b(?:unknown|unrecogni[sz]ed|wrong|incorrect|out of range|try again)\b"
    r"|\b(?:goodbye|bye|cancel+ed|aborted|game over|you (?:lose|lost|win|won|died))\b"
    r"|ung(?:ü|ue)ltig|inv[aá]lid|no v[aá]lid|无效|無効",
    re.IGNORECASE,
)
"""Words by which a program refuses what was typed, or says that this is the end."""
_RAISED = re.compile(r"\n +raise ValueError\b[^\n]*\n(?:[ ~^]+\n)?ValueError: ")
"""The program's own refusal, as an error that nobody caught."""
_READING = re.compile(r"\binput\(|\.split\(|readline\(|stdin")


def ended_by_typing(run: Run) -> bool:
    """True when the program was alive and asking, and only what was typed then ended it (or made it complain)."""
    typed: list[str] = run.facts.get("typed") or []
    if not typed or (run.exit_code or 0) < 0:
        return False
    stderr = run.stderr.text
    if has_traceback(stderr) or has_unhandled(stderr):
        return _refused_by_python(stderr, typed)
    if run.exit_code is None:
        return False
    # Of what it printed only the end counts: above stand its menus and prompts.
    last = "\n".join((plain(stderr).strip() or plain(run.stdout.text).strip()).splitlines()[-3:])
    return _NO.search(last) is not None or any(_quoted(line, stderr) for line in typed)


def _refused_by_python(stderr: str, typed: list[Any]) -> bool:
    """An error of a conversion or a missing file that names a typed line, of taking a line apart that has fewer pieces,
    or one that the program raised itself with words that refuse.
    """
    error = last_error(stderr)
    kind = re.search(r"\b(ValueError|EOFError|InvalidOperation|FileNotFoundError)\b", error)
    if kind is None:
        return False
    if kind[1] == "EOFError":
        return "EOF when reading a line" in error
    if kind[1] == "InvalidOperation":
        return "ConversionSyntax" in error
    if any(_quoted(line, error) for line in [*typed, ""]):
        return True
    trace = stderr[stderr.rfind(TRACEBACK) :]
    if _RAISED.search(trace) and _NO.search(error):
        return True
    return "values to unpack" in error and _READING.search(trace) is not None


def _quoted(line: str, text: str) -> bool:
    return f"'{line}'" in text or f'"{line}"' in text
