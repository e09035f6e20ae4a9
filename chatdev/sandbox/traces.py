"""Reading what programs print: tracebacks, and making any output safe and short to show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatdev.sandbox.job import WORK

TRACEBACK = "Traceback (most recent call last)"
UNHANDLED = re.compile(
    r"^(?:Exception in thread |Exception in Tkinter callback|Exception in callback |Exception in atexit callback"
    r"|(?:Task|Future) exception was never retrieved|Unhandled exception in |exception calling callback "
    r"|Exception (?:happened|occurred) during processing of request"
    r"|.*RuntimeWarning: coroutine '[^'\n]{1,80}' was never awaited"
    r"|--- Logging error ---"
    r"|Process [^\n:]{1,80}:\r?\n(?:Traceback|  \+ Exception))",
    re.MULTILINE,
)
"""Headings that Python's own hooks print for errors nobody handled although the program goes on: in threads, callbacks,
tasks of asyncio and processes of multiprocessing; and work that was never begun.
"""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
_ERROR = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)\b.*|[A-Za-z_][\w.]*: .*)$", re.M
)
_IMPORTLIB = re.compile(
    r'^  File "(?:<frozen importlib[^"]*>|/usr/lib/python3[^"]*/importlib/__init__\.py)", line .*\n(?:    .*\n)*', re.M
)
_PLACE = re.compile(r'^  File "([^"\n]+)", line (\d+)', re.M)


def clean(text: str) -> str:
    """Without escape sequences; control, direction and invisible characters, and bytes of a file name that are no
    UTF-8, are shown as text. What this gives can go to a terminal, into a report and into a page.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPE.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return _CONTROL.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that it could not decode
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean_data(value: Any) -> Any:
    """The same for every text in plain data (lists, tuples, mappings)."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean_data(key): clean_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(clean_data(each) for each in value)
    return value


def plain(text: str) -> str:
    """What a program printed: clean, and without the box's own path before file names."""
    text = _IMPORTLIB.sub("", clean(text))
    return re.sub(rf"{WORK}/|/tmp/chatdev-box-\w+/app/", "", text)


def has_traceback(stderr: str) -> bool:
    return TRACEBACK in stderr


def has_unhandled(stderr: str) -> bool:
    """True for errors in threads, callbacks, tasks and child processes, which do not change the exit status."""
    return UNHANDLED.search(stderr) is not None


def all_errors(stderr: str) -> list[str]:
    """The error line of every traceback."""
    return [last_error(TRACEBACK + part) for part in stderr.split(TRACEBACK)[1:]]


def last_error(stderr: str) -> str:
    """The error line of the last traceback with the place it came from, such as `main.py:12: ValueError: no`."""
    text = plain(stderr)
    mark = UNHANDLED.search(text) if TRACEBACK not in text else None
    if mark and mark[0].endswith("awaited"):
        return mark[0][:400]
    # Below the error, logging tells the stack of the call and the message.
    last = text[text.rfind(TRACEBACK) :].partition("\nCall stack:\n")[0] if TRACEBACK in text else text
    found = _ERROR.findall(last)
    if not found:
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]
    places = [(f, n) for f, n in _PLACE.findall(text) if not f.startswith(("/", "<"))]
    where = f"{places[-1][0]}:{places[-1][1]}: " if places else ""
    return f"{where}{found[-1]}"[:400]
