"""Rung 1: every file parses by its language. No engine is needed, nothing is run.

Placeholders are found from the syntax tree, never from the word "todo".
"""

from __future__ import annotations

import ast
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from chatdev.sandbox.entry import parse
from chatdev.sandbox.placeholders import placeholders
from chatdev.sandbox.report import Rung

VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
}  # fmt: skip
OPTIONAL_END = {
    "p",
    "li",
    "dt",
    "dd",
    "option",
    "optgroup",
    "tr",
    "td",
    "th",
    "thead",
    "tbody",
    "tfoot",
    "colgroup",
    "rp",
    "rt",
}
MAX_SHOWN = 20


def parse_rung(files: Mapping[str, bytes]) -> Rung:
    """Judge all files of a product."""
    begun = time.monotonic()
    problems: list[str] = []
    checked = 0
    for name in sorted(files):
        check = CHECKS.get(PurePosixPath(name).suffix.lower())
        if check is None:
            continue
        checked += 1
        problems += [f"{name}:{line}: {text}" for line, text in check(name, files)]
    sure, maybe = _placeholders(files)
    state_ok = not problems and not sure
    details = "\n".join([*problems[:MAX_SHOWN], *sure[:MAX_SHOWN], *maybe[:MAX_SHOWN]])
    if not files:
        return Rung("parse", "failed", "there are no files", seconds=time.monotonic() - begun)
    if problems:
        summary = problems[0].splitlines()[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")
    elif sure:
        summary = sure[0] + (f" (and {len(sure) - 1} more)" if len(sure) > 1 else "")
    else:
        summary = f"{checked} of {len(files)} files checked, all parse" + (
            f", {len(maybe)} bodies are empty" if maybe else ""
        )
    return Rung(
        "parse", "passed" if state_ok else "failed", summary, details, seconds=time.monotonic() - begun,
        facts={"checked": checked, "placeholders": len(sure), "empty_bodies": len(maybe)},
    )  # fmt: skip


def _placeholders(files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    trees = {n: t for n, d in files.items() if n.endswith(".py") and (t := parse(d)) is not None}
    sure: list[str] = []
    maybe: list[str] = []
    for found in placeholders({n: files[n].decode("utf-8", "replace") for n in trees}, trees):
        text = f"{found.file}:{found.line}: {found.name} is a placeholder ({found.body})"
        (sure if found.sure else maybe).append(text)
    return sure, maybe


def read_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises ValueError with line and column."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    data: dict[str, Any] = tomllib.loads(text)
    return data


Found = list[tuple[int, str]]


def _python(name: str, files: Mapping[str, bytes]) -> Found:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(files[name], filename=name)
    except SyntaxError as error:
        line = (error.text or "").rstrip("\n")
        shown = f"\n    {line.strip()}" if line.strip() else ""
        return [(error.lineno or 1, f"{type(error).__name__}: {error.msg}{shown}")]
    except (ValueError, RecursionError, MemoryError) as error:
        return [(1, f"cannot be parsed: {error or type(error).__name__}")]
    return []


def _json(name: str, files: Mapping[str, bytes]) -> Found:
    if PurePosixPath(name).name.startswith(("tsconfig", "jsconfig")):
        return []  # these two allow comments
    try:
        json.loads(files[name])
    except json.JSONDecodeError as error:
        return [(error.lineno, f"JSON: {error.msg}")]
    except (ValueError, RecursionError) as error:
        return [(1, f"JSON: {error}")]
    return []


def _toml(name: str, files: Mapping[str, bytes]) -> Found:
    try:
        read_toml(files[name].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return [(1, f"TOML: {error}")]
    return []


def _yaml(name: str, files: Mapping[str, bytes]) -> Found:
    import yaml

    try:
        for _ in yaml.parse(files[name], Loader=yaml.SafeLoader):  # events only: aliases are not expanded
            continue
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return [(mark.line + 1 if mark else 1, f"YAML: {error.problem}")]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return [(1, f"YAML: {error}")]
    return []


class _Page(HTMLParser):
    """Collects unbalanced tags, local references and inline scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[tuple[str, int]] = []
        self.problems: Found = []
        self.links: list[tuple[int, str]] = []
        self.scripts: list[tuple[int, bool, str]] = []
        self.elements = 0
        self.inline: tuple[int, bool] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += 1
        values = dict(attrs)
        for attribute in ("src", "href", "poster"):
            if values.get(attribute) and tag != "a":
                self.links.append((self.getpos()[0], str(values[attribute])))
        kind = values.get("type") or ""
        if (
            tag == "script"
            and not values.get("src")
            and kind in ("", "module", "text/javascript", "application/javascript")
        ):
            self.inline = (self.getpos()[0], kind == "module")
        if tag not in VOID:
            self.stack.append((tag, self.getpos()[0]))

    def handle_data(self, data: str) -> None:
        if self.inline is not None:
            self.scripts.append((*self.inline, data))

    def handle_endtag(self, tag: str) -> None:
        self.inline = None
        if tag in VOID:
            return
        while self.stack and self.stack[-1][0] != tag and self.stack[-1][0] in OPTIONAL_END:
            self.stack.pop()
        if self.stack and self.stack[-1][0] == tag:
            self.stack.pop()
        elif tag not in OPTIONAL_END:
            self.problems.append((self.getpos()[0], f"HTML: </{tag}> closes nothing that is open"))

    def finish(self) -> None:
        for tag, line in self.stack:
            if tag not in OPTIONAL_END and tag not in ("html", "body", "head", "svg", "path"):
                self.problems.append((line, f"HTML: <{tag}> is never closed"))


def read_page(data: bytes) -> _Page:
    """Parse an HTML page; see the attributes of the result."""
    page = _Page()
    page.feed(data.decode("utf-8", "replace"))
    page.close()
    page.finish()
    return page


def local_target(page: str, link: str, files: Mapping[str, bytes]) -> str | None:
    """The product's file a link names, or None when it leads elsewhere (another site, data:, an anchor, a template)."""
    parts = urlsplit(link.strip())
    if parts.scheme or parts.netloc or not parts.path or "{" in link:
        return None
    path = unquote(parts.path)
    base = PurePosixPath(page).parent if not path.startswith("/") else PurePosixPath()
    pieces: list[str] = []
    for piece in (base / path.lstrip("/")).parts:
        if piece == ".." and pieces:
            pieces.pop()
        elif piece != "..":
            pieces.append(piece)
    return "/".join(pieces)


def _html(name: str, files: Mapping[str, bytes]) -> Found:
    parts = PurePosixPath(name).parts
    page = read_page(files[name])
    problems = list(page.problems)
    if not page.elements:
        problems.append((1, "HTML: there is no element in it"))
    if "templates" in parts or b"{%" in files[name] or b"{{" in files[name]:
        return []  # a template of a server: its pieces are not pages
    served = any(n.endswith((".py", ".js")) and "/" not in n and b"http" in files[n] for n in files)
    for line, link in page.links:
        target = local_target(name, link, files)
        there = target is None or target in files or any(n.startswith(f"{target}/") for n in files)
        if not there and not (served and link.startswith("/")):
            problems.append((line, f"HTML: {link} is not among the product's files"))
    return problems


CHECKS: dict[str, Callable[[str, Mapping[str, bytes]], Found]] = {
    ".py": _python, ".json": _json, ".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".html": _html, ".htm": _html,
}  # fmt: skip
