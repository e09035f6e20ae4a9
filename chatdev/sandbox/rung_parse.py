"""Rung 1: every file parses by its language. No engine is needed, nothing is run.

Placeholders are found from the syntax tree, never from the word "todo".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from importlib.util import decode_source
from pathlib import PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from chatdev.sandbox.entry import is_test
from chatdev.sandbox.languages import TEST_FOLDERS
from chatdev.sandbox.report import Rung
from chatdev.software.placeholders import find_placeholders
from chatdev.software.syntax import syntax_problem

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
MAX_PAGE = 4_000_000
"""Bytes of a page that is read here."""
_TODO = re.compile(r"#.*\b(TODO|FIXME|XXX)\b")


def parse_rung(files: Mapping[str, bytes], left_out: Sequence[str] = ()) -> Rung:
    """Judge all files of a product. What lies beside its tests may be broken on purpose: the tests tell. `left_out`:
    what was not taken from its folder, for the report.
    """
    begun = time.monotonic()
    problems: list[str] = []
    data: list[str] = []
    checked = 0
    for name in sorted(files):
        check = CHECKS.get(PurePosixPath(name).suffix.lower())
        if check is None:
            continue
        checked += 1
        found = [f"{name}:{line}: {text}" for line, text in check(name, files)]
        if _of_tests(name):
            data += [f"{each} (not counted: it lies beside the tests)" for each in found]
        else:
            problems += found
    sure, maybe = _placeholders({name: text for name, text in files.items() if not _of_tests(name)})
    state_ok = not problems and not sure
    left = [f"left out: {each}" for each in left_out[:MAX_SHOWN]]
    details = "\n".join([*problems[:MAX_SHOWN], *sure[:MAX_SHOWN], *maybe[:MAX_SHOWN], *data[:MAX_SHOWN], *left])
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
    if left_out:
        summary += f"; {len(left_out)} left out ({left_out[0]}{', ...' if len(left_out) > 1 else ''})"
    return Rung(
        "parse", "passed" if state_ok else "failed", summary, details, seconds=time.monotonic() - begun,
        facts={"checked": checked, "placeholders": len(sure), "empty_bodies": len(maybe)},
    )  # fmt: skip


def _of_tests(name: str) -> bool:
    """True for what lies in a folder of tests and is no test itself: data, often broken on purpose."""
    return bool(TEST_FOLDERS & set(PurePosixPath(name).parts[:-1])) and not is_test(name)


def _placeholders(files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """(surely unfinished, perhaps meant to be empty): an empty callback is often meant, `...` is not."""
    texts = {name: text for name in sorted(files) if (text := _text(name, files[name])) is not None}
    sure: list[str] = []
    maybe: list[str] = []
    for found in find_placeholders(texts):
        line = f"{found.path}:{found.line}: {found.name} is a placeholder: {found.why}"
        near = texts[found.path].splitlines()[found.line - 1 : found.line + 3]
        quiet = found.why.endswith(('"pass"', "docstring")) and not any(_TODO.search(each) for each in near)
        (maybe if quiet else sure).append(line)
    return sure, maybe


Found = list[tuple[int, str]]


def _text(name: str, data: bytes) -> str | None:
    """A file's text; Python says its own encoding. None when it is no text."""
    try:
        return decode_source(data) if name.endswith((".py", ".pyw")) else data.decode("utf-8-sig")
    except (SyntaxError, UnicodeDecodeError):
        return None


def _by_language(name: str, files: Mapping[str, bytes]) -> Found:
    text = _text(name, files[name])
    if text is None:
        return [(1, "it is not text in UTF-8")]
    problem = syntax_problem(name, text)
    return [(problem.line, problem.message.removeprefix(f"{name}, line {problem.line}: "))] if problem else []


class _Page(HTMLParser):
    """Collects unbalanced tags, local references and inline scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[tuple[str, int]] = []
        self.problems: Found = []
        self.links: list[tuple[int, str]] = []
        self.base = ""
        self.scripts: list[tuple[int, bool, str]] = []
        self.elements = 0
        self.inline: tuple[int, bool] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += 1
        values = dict(attrs)
        if tag == "base":
            self.base = self.base or (values.get("href") or "").strip()  # the first one counts
        for attribute in ("src", "href", "poster"):
            if values.get(attribute) and tag not in ("a", "base"):
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
    """Parse an HTML page; see the attributes of the result. Larger pages than `MAX_PAGE` are left to the browser."""
    page = _Page()
    if len(data) > MAX_PAGE:
        page.elements = 1
        return page
    try:
        page.feed(_ended(data.decode("utf-8", "replace")))
        page.close()
    except (AssertionError, RecursionError):  # how Python's parser answers to a declaration it cannot read
        page.problems.append((page.getpos()[0], "HTML: a declaration cannot be read"))
    page.finish()
    return page


def _ended(text: str) -> str:
    """The text without its end from the first thing on that is opened and never closed: Python's parser looks for
    every single closer again, through all the rest, and takes hours for a few hundred kilobytes of `<a <a <a`.
    """
    for _ in range(20):
        before = len(text)
        for opener, closer in (("<!--", "-->"), ("<![", "]>"), ("<", ">")):
            cut = text.find(opener, text.rfind(closer) + 1)
            text = text[:cut] if cut >= 0 else text
        if len(text) == before:
            return text
    return ""


def local_target(page: str, link: str, files: Mapping[str, bytes], base: str = "") -> str | None:
    """The product's file a link names ("" is its own folder), or None when it leads elsewhere (another site, data:, an
    anchor, a template). `base` is what the page's `<base href>` says.
    """
    parts = _split(link)
    if parts is None or parts.scheme or parts.netloc or not parts.path or "{" in link:
        return None
    path, folder = unquote(parts.path), PurePosixPath(page).parent
    if base:
        ground = _split(base)
        if ground is None or ground.scheme or ground.netloc or "{" in base:
            return None
        # Everything behind the last slash of a base is a file, not a folder.
        folder = (
            folder / unquote(ground.path).rpartition("/")[0]
            if not ground.path.startswith("/")
            else PurePosixPath(unquote(ground.path).rpartition("/")[0].lstrip("/"))
        )
    if path.startswith("/"):
        folder = PurePosixPath()
    pieces: list[str] = []
    for piece in (folder / path.lstrip("/")).parts:
        if piece == ".." and pieces:
            pieces.pop()
        elif piece != "..":
            pieces.append(piece)
    return "/".join(pieces)


def _split(link: str) -> SplitResult | None:
    """The parts of an address; None for what is none, such as `http://[`."""
    try:
        return urlsplit(link.strip())
    except ValueError:
        return None


_RENDERS_PY = re.compile(
    rb"render_template|\bjinja2\b|Jinja2Templates|\bdjango\b|\bmako\b|\bbottle\b|\btornado\b|chevron|pystache"
    rb"|replace\(\s*f?['\"]\{[{%]"
)
_RENDERS_JS = re.compile(
    rb"(?:require\(|from\s|import\s)\s*['\"](?:express|ejs|nunjucks|handlebars|express-handlebars|hbs|mustache|pug|"
    rb"eta|liquidjs|twig)['\"]"
)


def is_template(name: str, files: Mapping[str, bytes]) -> bool:
    """True for a page that a server of the product fills in: its pieces are no pages yet.

    `{{ }}` alone says nothing: pages that fill themselves in by a script hold it too, and are whole.
    """
    marked = b"{%" in files[name] or b"{{" in files[name]
    placed = bool({"templates", "views"} & set(PurePosixPath(name).parts))
    if marked == placed:
        return marked
    return any(
        (_RENDERS_PY if other.endswith(".py") else _RENDERS_JS).search(data)
        for other, data in files.items()
        if other.endswith((".py", ".js", ".mjs", ".cjs", ".ts"))
    )


def _html(name: str, files: Mapping[str, bytes]) -> Found:
    if is_template(name, files):
        return []
    page = read_page(files[name])
    problems = list(page.problems)
    if not page.elements:
        problems.append((1, "HTML: there is no element in it"))
    served = any(n.endswith((".py", ".js")) and "/" not in n and b"http" in files[n] for n in files)
    for line, link in page.links:
        target = local_target(name, link, files, page.base)
        there = not target or target in files or any(n.startswith(f"{target}/") for n in files)
        if not there and not (served and link.startswith("/")):
            problems.append((line, f"HTML: {link} is not among the product's files"))
    return problems


CHECKS: dict[str, Callable[[str, Mapping[str, bytes]], Found]] = {
    **dict.fromkeys((".py", ".pyw", ".pyi", ".json", ".toml", ".yaml", ".yml", ".svg", ".xml"), _by_language),
    **dict.fromkeys((".html", ".htm"), _html),
}
