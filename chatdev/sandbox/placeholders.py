"""Bodies that were left unwritten, found from the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_MARK = re.compile(
    r"#.*\b(TODO|FIXME|XXX|placeholder|not implemented|to be implemented|implement (this|me|here|it|later))\b",
    re.IGNORECASE,
)
_ABSTRACT = {"abstractmethod", "overload", "abstractproperty"}
_INTERFACES = {"Protocol", "ABC", "ABCMeta"}


@dataclass(frozen=True)
class Placeholder:
    """A function with nothing in it."""

    file: str
    line: int
    name: str
    body: str
    """`pass`, `...`, `NotImplementedError`, or `pass with a TODO`."""
    sure: bool
    """False for a bare `pass`, which may be meant (an empty callback)."""


def placeholders(sources: Mapping[str, str], trees: Mapping[str, ast.Module]) -> Iterator[Placeholder]:
    """All placeholders in a product. A method that a subclass in the same product overrides is a hook, not a gap."""
    overridden = _overridden(trees.values())
    for name, tree in trees.items():
        lines = sources[name].splitlines()
        for owner, function in _functions(tree):
            body = _body(function, lines)
            if body is None or (owner is not None and _interface(owner)) or _decorated(function):
                continue
            if owner is not None and (owner.name, function.name) in overridden:
                continue
            shown = f"{owner.name}.{function.name}" if owner else function.name
            yield Placeholder(name, function.lineno, shown, body, body != "pass")


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, Function]]:
    def inside(node: ast.AST, owner: ast.ClassDef | None) -> Iterator[tuple[ast.ClassDef | None, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield owner, child
                yield from inside(child, None)
            else:
                yield from inside(child, child if isinstance(child, ast.ClassDef) else owner)

    return inside(tree, None)


def _body(function: Function, lines: list[str]) -> str | None:
    body = list(function.body)
    if (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    ):
        body = body[1:]
    if len(body) != 1:
        return None
    only = body[0]
    if isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant) and only.value.value is ...:
        return "..."
    if isinstance(only, ast.Raise) and only.exc is not None and "NotImplementedError" in ast.dump(only.exc):
        return "NotImplementedError"
    if isinstance(only, ast.Pass):
        text = lines[function.lineno - 1 : function.end_lineno or function.lineno]
        return "pass with a TODO" if any(_MARK.search(line) for line in text) else "pass"
    return None


def _decorated(function: Function) -> bool:
    names = {
        n.id if isinstance(n, ast.Name) else getattr(n, "attr", "")
        for d in function.decorator_list
        for n in ast.walk(d)
    }
    return bool(names & _ABSTRACT)


def _interface(owner: ast.ClassDef) -> bool:
    names = {n.id if isinstance(n, ast.Name) else getattr(n, "attr", "") for b in owner.bases for n in ast.walk(b)}
    return bool(names & _INTERFACES)


def _overridden(trees: Iterable[ast.Module]) -> set[tuple[str, str]]:
    """(class, method) pairs that some direct subclass defines again."""
    found: set[tuple[str, str]] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                methods = [m.name for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
                for base in node.bases:
                    label = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
                    found |= {(label, m) for m in methods}
    return found
