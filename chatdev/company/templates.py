"""The one jinja2 environment that every prompt goes through.

Contract: a prompt is a template from a stranger's file, so it may only look things up: undefined names are
errors, attributes that begin with an underscore are refused, nothing can be called or kept, nothing is
repeated by arithmetic, no other file can be included, and how much is made and how long that takes is bounded
(`bounds`). Values are put in as plain text and are never templates themselves. Non-goal: what a prompt means;
the chain room says which values there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chatdev.company.bounds import BUDGET, Bounding, Budget, added, bounded_filters
from chatdev.errors import UserError


class _PromptEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox of jinja2, narrowed: no calls, and no operator that makes much out of little."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            added(left, right)
            return super().call_binop(context, operator, left, right)
        raise SecurityError(f"the operator {operator} is not allowed")

    def is_safe_callable(self, obj: Any) -> bool:
        return False

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed: nodes.Template = Bounding().visit(super()._parse(source, name, filename))
        return parsed


@lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    """The environment; made once. `optimized=False`, so that checking a template never computes anything."""
    made = _PromptEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,
    )
    made.globals.clear()
    made.filters = bounded_filters()
    return made


def rendered(text: str, values: Mapping[str, Any], *, where: str = "") -> str:
    """The template `text` with `values` put in.

    Raises:
        UserError: the template is faulty, names something that is not there, or tries what is not allowed; one line.
    """
    return _told(lambda: _made(text, values), where)


def only_if_there(text: str) -> set[str]:
    """Names that a valid template looks at nowhere but under an `{% if name %}` of their own."""

    def unguarded(node: nodes.Node, sure: frozenset[str]) -> set[str]:
        if isinstance(node, nodes.Name):
            return {node.name} - sure
        if isinstance(node, nodes.If) and isinstance(node.test, nodes.Name):
            inside = [unguarded(part, sure | {node.test.name}) for part in node.body]
            others = [unguarded(part, sure) for part in (*node.elif_, *node.else_)]
            return set().union(*inside, *others)
        return set().union(*(unguarded(part, sure) for part in node.iter_child_nodes()))

    parsed = environment().parse(text)
    return {node.name for node in parsed.find_all(nodes.Name)} - unguarded(parsed, frozenset())


def _made(text: str, values: Mapping[str, Any]) -> str:
    budget, pieces = Budget(), list[str]()
    token = BUDGET.set(budget)
    try:
        for piece in _compiled(text).generate(dict(values)):
            budget.take(chars=len(piece))
            pieces.append(piece)
    finally:
        BUDGET.reset(token)
    return "".join(pieces)


@lru_cache(maxsize=128)
def _compiled(text: str) -> Template:
    return environment().from_string(text)


def _told(make: Callable[[], str], where: str) -> str:
    try:
        return make()
    except SecurityError as error:
        raise UserError(f"the prompt tries something that is not allowed: {_line(error)}", where=where) from None
    except UndefinedError as error:
        raise UserError(f"the prompt names something that is not there: {_line(error)}", where=where) from None
    except TemplateError as error:
        raise UserError(f"the prompt is not a valid template: {_line(error)}", where=where) from None
    except (RecursionError, SyntaxError):  # Python itself refuses more than 20 loops in one another
        raise UserError("the prompt is nested too deeply", where=where) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError) as error:
        raise UserError(f"the prompt cannot be filled in: {_line(error)}", where=where) from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
