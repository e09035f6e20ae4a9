"""Reading what programs print: tracebacks, and making any output safe and short to show."""

from __future__ import annotations

import re

from chatdev.sandbox.job import WORK

TRACEBACK = "Traceback (most recent call last)"
UNHANDLED = ("Exception in thread ", "Exception in Tkinter callback")
"""Headings that Python's own hooks print for errors nobody handled although the program goes on."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_ERROR = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)\b.*|[A-Za-z_][\w.]*: .*)$", re.M
)
_IMPORTLIB = re.compile(
    r'^  File "(?:<frozen importlib[^"]*>|/usr/lib/python3[^"]*/importlib/__init__\.py)", line .*\n(?:    .*\n)*', re.M
)
_PLACE = re.compile(r'^  File "([^"\n]+)", line (\d+)', re.M)


def plain(text: str) -> str:
    """Without escape sequences, control and direction characters, and without the box's own path before file names."""
    text = _ESCAPE.sub("", text.replace("\r\n", "\n"))
    text = text.replace("\r", "\n")
    text = _CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)
    text = _IMPORTLIB.sub("", text)
    return re.sub(rf"{WORK}/|/tmp/chatdev-box-\w+/app/", "", text)


def has_traceback(stderr: str) -> bool:
    return TRACEBACK in stderr


def has_unhandled(stderr: str) -> bool:
    """True for errors in threads and callbacks, which do not change the exit status."""
    return any(mark in stderr for mark in UNHANDLED)


def last_error(stderr: str) -> str:
    """The error line of the last traceback with the place it came from, such as `main.py:12: ValueError: no`."""
    text = plain(stderr)
    found = _ERROR.findall(text[text.rfind(TRACEBACK) :] if TRACEBACK in text else text)
    if not found:
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]
    places = [(f, n) for f, n in _PLACE.findall(text) if not f.startswith(("/", "<"))]
    where = f"{places[-1][0]}:{places[-1][1]}: " if places else ""
    return f"{where}{found[-1]}"[:400]
