"""Finding the file name that belongs to a fenced block of code.

Models put it in the line above (`main.py`, `**main.py**`, `### src/x.py`, `File: x`, `Here is the updated main.py:`),
in the info string (```` ```python main.py ````, `title="main.py"`, ```` ```main.py ````), or in a comment that is the
block's first line. A name must look like one: a known extension, a known bare name such as `Dockerfile`, or a label in
front of it. `matplotlib.pyplot` and `e.g.` are not names. Whether a name may be written is `paths`' question.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXTENSIONS = _words(
    "py pyw pyi pyx ipynb js mjs cjs jsx ts tsx vue svelte html htm xhtml css scss sass less json jsonc "
    "json5 yaml yml toml ini cfg conf env properties xml svg xsd md markdown rst txt text csv tsv sql sh "
    "bash zsh fish ps1 bat cmd c h cc cpp cxx hpp hh m mm java kt kts scala groovy gradle go mod sum rs "
    "rb php pl pm lua r jl swift dart ex exs erl hs elm clj cs fs vb csproj sln asm s v sv vhd tf hcl "
    "proto graphql gql j2 jinja tmpl tpl ejs hbs pug lock in log diff patch service desktop qml ui qrc po "
    "pot tex bib glsl vert frag shader gd tscn cmake mk nix bzl ino wgsl webmanifest"
)
BARE_NAMES = _words(
    "dockerfile containerfile makefile gnumakefile license licence copying notice authors contributors "
    "changelog readme procfile jenkinsfile vagrantfile gemfile rakefile pipfile brewfile justfile "
    "caddyfile version codeowners manifest .gitignore .gitattributes .dockerignore .editorconfig .env "
    ".flake8 .pylintrc .coveragerc .npmrc .nvmrc .babelrc .eslintrc .prettierrc .python-version .pre- "
    "commit-config .eslintignore .prettierignore .htaccess .bashrc"
)
PROSE_LANGUAGES = _words(
    "bash sh shell zsh fish console terminal shell-session shellsession sh-session powershell ps pwsh cmd "
    "bat batch dos text txt plaintext plain output log tree diff patch mermaid none ansi stdout stderr"
)
"""Languages of blocks that usually show something rather than being a file."""

_FITTING = {
    "bash": {"sh", "bash"}, "sh": {"sh", "bash"}, "shell": {"sh", "bash", "zsh"}, "zsh": {"zsh", "sh"},
    "fish": {"fish"}, "powershell": {"ps1"}, "pwsh": {"ps1"}, "ps": {"ps1"}, "cmd": {"bat", "cmd"},
    "bat": {"bat", "cmd"}, "batch": {"bat", "cmd"}, "dos": {"bat", "cmd"}, "diff": {"diff", "patch"},
    "patch": {"diff", "patch"},
    "mermaid": {"mmd"}, "log": {"log"},
}  # fmt: skip
_NOT_NAMES = _words(
    "node.js vue.js next.js nuxt.js react.js three.js express.js d3.js p5.js chart.js socket.io asp.net"
)
_FILLER = _words(
    "here is are s here's this below the a an complete full entire whole updated revised corrected final "
    "new improved modified code content contents file source script module for of in to into as named "
    "called create created save saved put write now following follows with and it main first second next "
    "then finally"
)
_LABEL = re.compile(
    r"^(?:\*\*|__|\*)?(?:file\s*name|file\s*path|file|path)(?:\s+\d{1,3})?(?:\*\*|__|\*)?\s*[:=]\s*(?:\*\*|__|\*)?\s*(.+)$",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^(?:[-*+]\s+|\(?\d{1,3}[.)]\s+)")
_HEADING = re.compile(r"^#{1,6}\s+(?:(?:step\s+)?\d{1,3}[.:)]\s*)?(.*?)\s*#*$", re.IGNORECASE)
_WRAPPED = re.compile(r"^(\*\*|__|`+|\*|_|\"|')(.+?)\1$")
_DESCRIBED = re.compile(r"^(\*\*[^*]{1,240}\*\*|`[^`]{1,240}`)\s*(?:[–—:]|-(?=\s))\s*(.{1,160})$")
_CHANGING = _words(
    "change changes changed replace replaced add added update updated modify modified fix fixed remove insert "
    "line lines function method snippet only part edit run output prints shows"
)
_TRAILER = re.compile(r"\s+\([^()]{1,60}\)$")
_QUOTED = re.compile(r"`([^`]{1,240})`|\*\*([^*]{1,240})\*\*")
_ATTRIBUTE = re.compile(r"(?:^|[\s{,])(?:title|filename|file|path|name)\s*=\s*(?:\"([^\"]+)\"|'([^']+)'|([^\s\"'},]+))")
_COMMENT = re.compile(r"^\s*(?:#|//|--|;|<!--|/\*|\"\"\"|%)+\s*(.{1,240}?)\s*(?:-->|\*/|\"\"\")?\s*$")
_LONGEST_LINE = 300


def looks_like_path(text: str, *, spaces: bool = False, sure: bool = False) -> bool:
    """Tell whether `text` reads as a file name.

    Args:
        spaces: folders and names may hold spaces (the name was quoted or labelled).
        sure: it was said to be a file name, so any extension and any bare word will do.
    """
    if not 0 < len(text) <= 260 or text != text.strip() or "://" in text or text.lower() in _NOT_NAMES:
        return False
    if any(char in text for char in '<>|"*?`\t;={}()[],!' if not (sure and char in "()[],")):
        return False
    parts = re.split(r"[/\\]", text)
    last = parts[-1]
    if not spaces and " " in text and (" " in last or text.count(" ") > 2 or text.split()[0].lower() in _FILLER):
        return False
    if last.lower() in BARE_NAMES or last.lower().startswith((".env.", "dockerfile.", "makefile.")):
        return True
    stem, dot, extension = last.rpartition(".")
    if sure:
        return bool(last and (len(parts) > 1 or (dot and re.fullmatch(r"\w{1,12}", extension))))
    return bool(dot and stem.strip(".") and extension.lower() in EXTENSIONS)


def _unwrap(text: str) -> tuple[str, bool]:
    """Strip bold, quotes and back-ticks; tell whether there were any."""
    wrapped = False
    while match := _WRAPPED.match(text):
        text, wrapped = match[2].strip(), True
        text = text.rstrip(":").rstrip() if text.endswith(":") else text
    return text, wrapped


def name_in_line(line: str) -> tuple[str | None, bool]:
    """Read a line above a fence; returns the name, and whether the line is a title (heading, label or bold).

    A title may have a sentence or two between itself and the fence, a bare name may not.
    """
    text = line.strip()
    if not text or len(text) > _LONGEST_LINE:
        return None, False
    heading = _HEADING.match(text)
    titled = heading is not None
    text = heading[1] if heading else _LIST_MARK.sub("", text, count=1)
    text = text.rstrip(":").rstrip()
    text, wrapped = _unwrap(text)
    if label := _LABEL.match(text):
        named, _ = _unwrap(_TRAILER.sub("", label[1].strip().rstrip(":").rstrip()))
        return (named, True) if looks_like_path(named, spaces=True, sure=True) else (None, False)
    short, _ = _unwrap(_TRAILER.sub("", text).rstrip(":").rstrip())
    for candidate in (text, short):
        if looks_like_path(candidate, spaces=wrapped or titled):
            return candidate, wrapped or titled
    described = _DESCRIBED.match(text)
    if described and not set(re.findall(r"[a-z]+", described[2].lower())) & _CHANGING:
        candidate, _ = _unwrap(described[1])
        if looks_like_path(candidate, spaces=True):
            return candidate, False
    return _name_in_sentence(line.strip()), False


def _name_in_sentence(line: str) -> str | None:
    """`Here is the updated `main.py`:` names a whole file; `Change this line of `main.py`:` does not.

    So every other word of the line has to be one of the few that introduce a file.
    """
    line = re.split(r"(?<=[.!?])\s+", line)[-1]
    if not line.endswith(":"):
        return None
    quoted = [a or b for a, b in _QUOTED.findall(line)]
    rest = _QUOTED.sub(" ", line)
    if not quoted:
        words = line.rstrip(":").split()
        quoted = [word for word in words if looks_like_path(word)]
        rest = " ".join(word for word in words if word not in quoted)
    if len(quoted) != 1 or not looks_like_path(quoted[0].strip(), spaces=True):
        return None
    words = re.findall(r"[a-z']+", rest.lower())
    return quoted[0].strip() if all(word in _FILLER for word in words) else None


def split_info(info: str) -> tuple[str, str | None]:
    """Split a fence's info string into language (lower case, may be empty) and file name (or None)."""
    info = info.strip()
    attribute = _ATTRIBUTE.search(info)
    if attribute:
        head = info[: attribute.start()].strip(" {.,")
        name = attribute[1] or attribute[2] or attribute[3]
        language = head.split()[0].lower() if head.split() else ""
        return language, name.strip() if looks_like_path(name.strip(), spaces=True, sure=True) else None
    words = info.strip("{}").split(None, 1)
    if not words:
        return "", None
    first = words[0].lstrip(".")
    if len(words) == 2:
        name, _ = _unwrap(re.sub(r"^(?://|#)\s*", "", words[1].strip()))
        label = _LABEL.match(name)
        name = label[1].strip() if label else name
        return first.lower(), name if looks_like_path(name, spaces=True) else None
    language, colon, name = words[0].partition(":")
    if colon and looks_like_path(name):
        return language.lower(), name
    dotted = "." in words[0][1:] or "/" in words[0] or words[0].startswith(".")
    if looks_like_path(words[0]) and (dotted or words[0] in ("Dockerfile", "Makefile", "LICENSE")):
        return "", words[0]
    return first.lower(), None


def name_in_comment(first_line: str) -> str | None:
    """A block's first line that is a comment with nothing but a file name, such as `# src/game.py`."""
    if len(first_line) > _LONGEST_LINE or not (match := _COMMENT.match(first_line)):
        return None
    text = match[1].strip()
    if label := _LABEL.match(text):
        text = label[1].strip()
    return text if looks_like_path(text) and " " not in text else None


def fits(name: str, language: str) -> bool:
    """Could a block of this language be this file? Guards against `main.py` above the shell line that starts it."""
    if language not in PROSE_LANGUAGES:
        return True
    extension = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    if language in ("text", "txt", "plaintext", "plain", "none"):
        return extension not in ("py", "js", "ts", "java", "c", "cpp", "go", "rs", "html")
    return extension in _FITTING.get(language, set())
