"""Finding what was left unfinished, from the syntax tree and never from a word in the text.

A to-do application may say "todo" on every line. In Python a placeholder is a function whose body does nothing: only
a docstring with `pass`, `...` or `raise NotImplementedError`. Where doing nothing is the meaning, it is none:
abstract and overloaded functions, classes that are protocols or abstract, methods that a subclass overrides,
blocks for type checkers, fall-backs for a missing import, empty command groups, `.pyi` files. In any language a
*comment* that says TODO or FIXME together with "implement" (or with nothing) is one as well.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chatdev.software.syntax import parse_python, suffix_of

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Placeholder:
    """One unfinished place: file, line (from 1), what it is called, and why it counts."""

    path: str
    line: int
    name: str
    why: str


_COMMENT_MARKS = {
    **dict.fromkeys(
        (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".java", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs",
         ".swift", ".kt", ".kts", ".scala", ".dart", ".php", ".groovy", ".vue", ".svelte", ".scss", ".zig"),
        ("//", "/*", "*"),
    ),
    **dict.fromkeys((".rb", ".sh", ".bash", ".pl", ".r", ".jl", ".ex", ".exs", ".nim", ".ps1"), ("#",)),
    **dict.fromkeys((".lua", ".sql", ".hs", ".elm", ".adb"), ("--",)),
    **dict.fromkeys((".html", ".htm", ".xml"), ("<!--",)),
    ".css": ("/*", "*"),
}  # fmt: skip
LONGEST = 1_000_000
"""Characters of a file that is looked through; one beyond that holds data, and its tree would take gigabytes."""
_UNFINISHED = re.compile(
    r"^\W*(TODO|FIXME)\b(?:\([^()]*\))?[\s:–—-]*"
    r"(?:$|(?:\w+\s+){0,3}(?:implement|fill in|complete|finish|add (?:the )?(?:logic|code|implementation)|your code)\b)"
    r"|^\W*(?:(?:add |insert )?your (?:code|logic) (?:goes )?here|not (?:yet )?implemented(?: yet)?)\W*$",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"\b(TODO|FIXME)\b")
_SAYS_NOTHING = {"group", "callback"}
_ABSTRACT = {"abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod", "overload"}


def find_placeholders(texts: dict[str, str]) -> list[Placeholder]:
    """Look through all files of the software (path to text); results by path and line."""
    texts = {path: text for path, text in texts.items() if len(text) <= LONGEST}
    trees = {}
    for path, text in texts.items():
        if suffix_of(path) in (".py", ".pyw"):
            try:
                trees[path] = parse_python(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # a file that does not parse has a worse fault, and it is told elsewhere
    overridden = _overridden(trees.values())
    found: list[Placeholder] = []
    for path, tree in trees.items():
        with contextlib.suppress(RecursionError):  # thousands of nested blocks: nobody's unfinished work
            found += list(_in_python(path, tree, overridden))
    lines_found = {(one.path, one.line) for one in found}
    for path, text in texts.items():
        comments = _python_comments(text) if path in trees else _line_comments(path, text)
        inside = {(one.path, line) for one in found for line in (one.line, one.line + 1, one.line + 2)}
        for line, comment in comments:
            unfinished = _UNFINISHED.search(comment)
            if not unfinished or (unfinished[1] and not _CAPITAL.search(comment)):
                continue
            if (path, line) not in inside | lines_found:
                found.append(Placeholder(path, line, comment.strip()[:80], "a comment says that something is missing"))
    return sorted(found, key=lambda one: (one.path, one.line))


def _in_python(path: str, tree: ast.Module, overridden: set[tuple[str, str]]) -> Iterator[Placeholder]:
    def visit(node: ast.AST, owner: str, exempt: bool) -> Iterator[Placeholder]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                continue  # no function is defined inside an expression, and expressions nest deeply
            if isinstance(child, ast.ClassDef):
                yield from visit(child, f"{owner}{child.name}.", exempt or _is_abstract(child))
            elif isinstance(child, Function):
                why = "" if exempt or _means_nothing(child) else _empty_because(child)
                class_name = owner.rstrip(".").rsplit(".", 1)[-1]
                if why and (class_name, child.name) not in overridden:
                    yield Placeholder(path, child.lineno, f"{owner}{child.name}", why)
                yield from visit(child, f"{owner}{child.name}.", exempt)
            elif isinstance(child, ast.If) and _last_name(child.test) == "TYPE_CHECKING":
                for each in child.orelse:
                    yield from visit(ast.Module([each], []), owner, exempt)
            elif isinstance(child, ast.ExceptHandler):
                yield from visit(child, owner, exempt or _catches_import(child))
            else:
                yield from visit(child, owner, exempt)

    yield from visit(tree, "", False)


def _empty_because(function: Function) -> str:
    """Why a function's body counts as unfinished, or nothing."""
    body = function.body
    documented = bool(body) and isinstance(body[0], ast.Expr) and _is_text(body[0].value)
    rest = body[1:] if documented else body
    if not rest:
        return "" if function.decorator_list else "its body is only a docstring"
    if any(not isinstance(each, (ast.Pass, ast.Expr, ast.Raise)) for each in rest) or len(rest) > 2:
        return ""
    whys = [_nothing(each) for each in rest]
    return whys[-1] if all(whys) else ""


def _nothing(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Pass):
        return 'its body is only "pass"'
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and statement.value.value is ...:
        return 'its body is only "..."'
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        error = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        if _last_name(error) == "NotImplementedError":
            return "it only raises NotImplementedError"
    return ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _means_nothing(function: Function) -> bool:
    names = {_last_name(decorator) for decorator in function.decorator_list}
    return bool(names & (_ABSTRACT | _SAYS_NOTHING))


def _is_abstract(node: ast.ClassDef) -> bool:
    bases = {_last_name(base) for base in node.bases}
    metas = {_last_name(keyword.value) for keyword in node.keywords if keyword.arg == "metaclass"}
    return bool(bases & {"Protocol", "ABC"} or "ABCMeta" in metas)


def _catches_import(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
    return any(_last_name(each) in ("ImportError", "ModuleNotFoundError") for each in caught)


def _last_name(node: ast.expr) -> str:
    """The last name of `a.b.C[...](...)`, such as `C`."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _overridden(trees: Iterable[ast.Module]) -> set[tuple[str, str]]:
    """(class, method) pairs that a subclass anywhere in the software defines again."""
    bases: dict[str, set[str]] = {}
    methods: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(filter(None, map(_last_name, node.bases)))
                own = {each.name for each in node.body if isinstance(each, Function)}
                methods.setdefault(node.name, set()).update(own)
    found: set[tuple[str, str]] = set()
    for name, own in methods.items():
        above, todo = set(), list(bases.get(name, ()))
        while todo:
            base = todo.pop()
            if base not in above and base != name:
                above.add(base)
                todo += bases.get(base, ())
        found |= {(base, method) for base in above for method in own}
    return found


def _python_comments(text: str) -> Iterator[tuple[int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):
        return


def _line_comments(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Lines that begin with a comment mark; code with a comment behind it may hold the mark in a string."""
    marks = _COMMENT_MARKS.get(suffix_of(path))
    if not marks:
        return
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if len(stripped) < 300 and stripped.startswith(marks):
            yield number, stripped.removesuffix("*/").removesuffix("-->").strip()
