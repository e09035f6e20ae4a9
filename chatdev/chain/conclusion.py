"""Control lines: how an agent says "this is settled".

A control line is a line of the speaking agent's own reply that starts with `<INFO>` (emphasis around it does not
matter). The same characters inside a file block, a code fence, a quotation or an agent's thoughts are data and mean
nothing: a program may print them, a reviewer may cite them.
"""

from __future__ import annotations

import re
from typing import Any

from chatdev.company.safe_yaml import plain, read_yaml
from chatdev.errors import UserErrors
from chatdev.software.thoughts import without_thoughts

CONTROL = "<INFO>"
_CONTROL = re.compile(r"^ {0,3}[*_`]{0,3}<INFO>[*_`]{0,3}\s*(.*?)[*_`]{0,3}\s*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_FILE_OPEN = re.compile(r"^\s{0,3}<file\s+path=", re.IGNORECASE)
_FILE_CLOSE = re.compile(r"^\s{0,3}</file>\s*$", re.IGNORECASE)


def own_lines(reply: str) -> list[str]:
    """The lines an agent says itself: outside file blocks, code fences and quotations."""
    lines: list[str] = []
    fence = ""
    in_file = False
    for line in without_thoughts(reply).splitlines():
        mark = _FENCE.match(line)
        if in_file:
            in_file = not _FILE_CLOSE.match(line)
        elif fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif _FILE_OPEN.match(line):
            in_file = "</file>" not in line.lower()
        elif mark:
            fence = mark[1]
        elif not line.lstrip().startswith(">"):
            lines.append(line)
    return lines


def _controls(reply: str) -> list[str]:
    """The text of every control line."""
    return [found[1].strip() for line in own_lines(reply) if (found := _CONTROL.match(line))]


def is_control(line: str) -> bool:
    """True for a line that is there for the house and not for a reader."""
    return _CONTROL.match(line) is not None


def control_line(reply: str) -> str | None:
    """The text after the last control line's `<INFO>`, None when the reply has no control line."""
    found = _controls(reply)
    return found[-1] if found else None


def besides(reply: str) -> str:
    """What an agent says in its own words besides control lines; empty, or whole lines."""
    said = "\n".join(line.rstrip() for line in own_lines(reply) if not is_control(line)).strip()
    return f"{said}\n" if said else ""


def is_done(reply: str, done_when: str | None) -> bool:
    """True when a control line begins with the phase's `done_when`, whatever its case, and goes on only after a stop.

    `<INFO> Finished.` and `<INFO> Finished, no faults found` are done; `<INFO> Finished with one more wish` is not.
    """
    if not done_when:
        return False
    wanted = _plain(done_when.removeprefix(CONTROL))
    return any(
        _plain(text) == wanted or re.match(rf"{re.escape(wanted)}\s*[,;:.!–-]", _plain(text))
        for text in _controls(reply)
    )


def choice(text: str, choices: list[str]) -> str | None:
    """The one of `choices` that a conclusion names, in the company's own spelling; None when it names none."""
    plain = _plain(text)
    for one in choices:
        if _plain(one) == plain:
            return one
    named = [one for one in choices if re.search(rf"\b{re.escape(_plain(one))}\b", plain)]
    return named[0] if len(named) == 1 else None


def yaml_block(reply: str) -> str:
    """The first fenced YAML block of a reply, or the whole reply, when it is a YAML mapping or list.

    Raises ValueError with the parser's message otherwise.
    """
    fenced = re.search(r"^```ya?ml\s*\n(.*?)^```\s*$", reply, re.DOTALL | re.MULTILINE | re.IGNORECASE)
    text = fenced[1] if fenced else reply
    if not isinstance(yaml_value(text), dict | list):
        raise ValueError("the reply is not a YAML mapping or list")
    return text.strip() + "\n"


def yaml_value(text: str) -> Any:
    """A reply's YAML, read as carefully as any stranger's: no tags, no bombs, and `no` stays the word it is.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return plain(read_yaml(text, "reply"))
    except UserErrors as error:
        raise ValueError("; ".join(str(one) for one in error.errors)) from error


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".!").casefold()
