"""What keeps a stranger's template from taking for ever: bounds on loops, on the text made, and on time.

A prompt is short and is filled in once, so the bounds are far beyond any honest use. They rest on two things: a
template can keep nothing (no `set`, no macros), so a text grows by what is written down and not by doubling; and
whatever can make much out of little is left out of the filters, or looks first at how much it would make.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from jinja2 import filters, nodes, pass_eval_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.visitor import NodeTransformer

MAX_CHARS = 2_000_000
"""Characters of a prompt, and of any text made on the way to it."""
MAX_SECONDS = 5.0
"""Time for one prompt."""
MAX_ITEMS = 100_000
"""Rounds of all loops together."""
MAX_LOOPS = 2
"""Loops in one another."""

_STATEMENTS: dict[type[nodes.Node], str] = {
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.With: "with",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.Block: "block",
}
_PLAIN_FILTERS = (
    "abs attr capitalize count d default dictsort e escape first float groupby int items last length list lower "
    "map max min reject rejectattr reverse safe select selectattr sort string sum title trim truncate unique upper "
    "wordcount"
)


class Budget:
    """What one rendering has left."""

    def __init__(self) -> None:
        self.items, self.chars = MAX_ITEMS, MAX_CHARS
        self.until = time.monotonic() + MAX_SECONDS

    def take(self, *, items: int = 0, chars: int = 0) -> None:
        """Spend; SecurityError when nothing is left."""
        self.items, self.chars = self.items - items, self.chars - chars
        if self.items < 0:
            raise SecurityError(f"more than {MAX_ITEMS:,} rounds of loops")
        if self.chars < 0:
            raise _too_long()
        if time.monotonic() > self.until:
            raise SecurityError(f"it takes longer than {MAX_SECONDS:.0f} seconds")


BUDGET: ContextVar[Budget] = ContextVar("budget")
"""Of the rendering that is going on."""


class Bounding(NodeTransformer):
    """Sends what a template loops over and what it glues together through this file.

    Raises:
        TemplateSyntaxError: too many loops in one another, or a statement that keeps something.
    """

    def __init__(self) -> None:
        self._loops = 0

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        """Refuse what is not for prompts; else go on inside."""
        if word := _STATEMENTS.get(type(node)):
            raise TemplateSyntaxError(f"{{% {word} %}} is not for prompts", node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  (the visitor's naming)
        """Count it, and look at what it loops over."""
        self._loops += 1
        if self._loops > MAX_LOOPS:
            raise TemplateSyntaxError(f"more than {MAX_LOOPS} loops in one another", node.lineno)
        self.generic_visit(node)
        self._loops -= 1
        node.iter = _filtered(node.iter, "_items")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """`a ~ b`, looked at for its length."""
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "join")


def _filtered(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def looped_over(node: nodes.For) -> nodes.Node:
    """What a loop goes over, as it was written."""
    return node.iter.node if isinstance(node.iter, nodes.Filter) and node.iter.node is not None else node.iter


def bounded_filters() -> dict[str, Callable[..., Any]]:
    """The filters that a prompt may use."""
    made = {name: filters.FILTERS[name] for name in _PLAIN_FILTERS.split()}
    return {**made, "_items": _items, "join": _join, "replace": _replace, "indent": _indent, "tojson": _tojson}


def added(left: Any, right: Any) -> None:
    """Look at `left + right` before it is made."""
    if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
        _bounded(len(left) + len(right))


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        raise SecurityError("a loop over the letters of a text")
    for item in value:
        BUDGET.get().take(items=1)
        yield item


@pass_eval_context
def _join(context: nodes.EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    parts = list(value)
    texts = parts if attribute is not None else [part if isinstance(part, str) else str(part) for part in parts]
    _bounded(len(str(d)) * len(texts) + sum(len(text) for text in texts if isinstance(text, str)))
    return _short(filters.do_join(context, texts, d, attribute))


@pass_eval_context
def _replace(context: nodes.EvalContext, s: str, old: str, new: str, count: int | None = None) -> str:
    s, old, new = str(s), str(old), str(new)
    _bounded(len(s) + s.count(old) * len(new))
    return filters.do_replace(context, s, old, new, count)


def _indent(s: str, width: int = 4, first: bool = False, blank: bool = False) -> str:
    if not isinstance(width, int) or not 0 <= width <= 40:
        raise SecurityError("an indentation that is no number from 0 to 40")
    s = str(s)
    _bounded(len(s) + (s.count("\n") + 1) * width)
    return filters.do_indent(s, width, first, blank)


@pass_eval_context
def _tojson(context: nodes.EvalContext, value: Any) -> str:
    return filters.do_tojson(context, value)


def _short(text: str) -> str:
    _bounded(len(text))
    return text


def _bounded(length: int) -> None:
    BUDGET.get().take()
    if length > MAX_CHARS:
        raise _too_long()


def _too_long() -> SecurityError:
    return SecurityError(f"more than {MAX_CHARS:,} characters")
