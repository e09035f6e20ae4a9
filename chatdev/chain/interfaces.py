"""What a program offers to those who call it, without how it does it: for whoever writes tests from the task.

Of a Python module its constants, functions and classes with signatures and first docstring lines, read from the syntax
tree; of everything else its name. Names that begin with an underscore are not offered.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from chatdev.chain.views import sources

WIDTH = 160
"""Characters of one line; a longer signature or value is cut."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def interfaces(files: Mapping[str, str], room: int) -> str:
    """One paragraph a file, tests left out; files that do not fit into `room` characters are named only."""
    paragraphs: list[str] = []
    for path, text in sorted(sources(files).items()):
        lines = list(_module(path, text)) if path.endswith(".py") else [path]
        paragraph = "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines)
        if len(paragraph) > room:
            paragraph = path
        room -= len(paragraph)
        paragraphs.append(paragraph)
    return "\n".join(paragraphs)


def _module(path: str, text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
        yield _with_doc(path, tree)
        for line in _body(tree.body):
            yield f"    {line}"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield f"{path} (cannot be read as Python)"


def _body(body: list[ast.stmt]) -> Iterator[str]:
    """What a module or a class offers, one line each, deeper lines indented."""
    for node in body:
        if isinstance(node, _Function) and _offered(node.name):
            yield from _function(node)
        elif isinstance(node, ast.ClassDef) and _offered(node.name):
            bases = ", ".join(ast.unparse(base) for base in [*node.bases, *node.keywords])
            yield from (f"@{ast.unparse(one)}" for one in node.decorator_list)
            yield _with_doc(f"class {node.name}({bases})" if bases else f"class {node.name}", node)
            attributes = _attributes(node)
            if attributes:
                yield f"    attributes: {', '.join(attributes)}"
            for line in _body(node.body):
                yield f"    {line}"
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if all(_offered(name) for target in targets for name in _names(target)):
                yield ast.unparse(node).partition("\n")[0]


def _function(node: _Function) -> Iterator[str]:
    yield from (f"@{ast.unparse(one)}" for one in node.decorator_list)
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    yield _with_doc(f"{word} {node.name}({ast.unparse(node.args)}){returns}", node)


def _attributes(node: ast.ClassDef) -> list[str]:
    """Names that the class's methods set on `self`, in the order of the text."""
    found: list[tuple[int, int, str]] = []
    for one in (each for method in node.body if isinstance(method, _Function) for each in ast.walk(method)):
        if (
            isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and _offered(one.attr)
            and isinstance(one.value, ast.Name) and one.value.id == "self"
        ):  # fmt: skip
            found.append((one.lineno, one.col_offset, one.attr))
    return list(dict.fromkeys(name for _, _, name in sorted(found)))


def _names(target: ast.expr) -> list[str]:
    return [one.id for one in ast.walk(target) if isinstance(one, ast.Name)]


def _offered(name: str) -> bool:
    return not name.startswith("_") or name in ("__init__", "__call__")


def _with_doc(head: str, node: ast.Module | ast.ClassDef | _Function) -> str:
    lines = (ast.get_docstring(node) or "").splitlines()
    return f"{head}: {lines[0]}" if lines and lines[0] else head
