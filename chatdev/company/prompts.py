"""Prompts looked over without filling them in.

Contract: syntax errors, names that are not to be had, and everything the template sandbox would refuse at
run time, with the line in the YAML file. Parsing only: nothing of the template is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes

from chatdev.company.artifacts import HUMAN, LOCAL, PROMPT_NAMES, ROLE_NAMES
from chatdev.company.bounds import looped_over
from chatdev.company.bundle import CompanyBundle
from chatdev.company.fields import quoted
from chatdev.company.messages import did_you_mean
from chatdev.company.safe_yaml import Map, Mark, Text
from chatdev.company.schema import Phase
from chatdev.company.templates import environment
from chatdev.company.tree import where
from chatdev.errors import UserError

_OPERATORS: dict[type[nodes.BinExpr], str] = {nodes.Mul: "*", nodes.Pow: "**", nodes.Mod: "%"}
_INCLUDES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_FIELDS = ("name", "title")


def lint_prompts(bundle: CompanyBundle) -> list[UserError]:
    """Faults in the prompts of all roles and phases of a company."""
    errors: list[UserError] = []
    for name in bundle.roles:
        tree = bundle.trees[f"role:{name}"]
        errors += lint_template(tree, "prompt", ROLE_NAMES, "which a role's prompt does not know", _is_text)
    for name, phase in bundle.phases.items():
        known = names_in(bundle, name, phase)
        for key in ("prompt", "instructor_prompt"):
            if getattr(phase, key) is not None:
                errors += lint_template(bundle.trees[f"phase:{name}"], key, known, "which is not in reads", _is_text)
    return errors


def names_in(bundle: CompanyBundle, name: str, phase: Phase) -> dict[str, str]:
    """The names that a phase's prompts may use; the values are not looked at."""
    known = {**dict.fromkeys(phase.reads, ""), **PROMPT_NAMES}
    if phase.instructor == HUMAN:
        known["comment"] = LOCAL["comment"]
        del known["instructor"]
    if name == bundle.company.reflection:
        known.update({word: LOCAL[word] for word in ("question", "dialogue")})
    return known


def _is_text(name: str) -> bool:
    """Whatever a company's prompt knows is a text, but the speakers."""
    return name not in PROMPT_NAMES


def lint_template(
    tree: Map, key: str, known: Mapping[str, str], otherwise: str, is_text: Callable[[str], bool] = lambda name: False
) -> list[UserError]:
    """Faults in one template.

    Args:
        known: the names it may use. otherwise: what is said of any other name.
        is_text: whether a known name stands for one text, which nothing can loop over.
    """
    node = tree.items[key]
    assert isinstance(node, Text)

    def at(line: int) -> str:
        mark = node.mark
        if not node.block or not mark.line:
            return where(tree, key)
        return str(Mark(mark.source, mark.line + line))

    text = node.value or ""
    try:
        parsed = environment().parse(text)
        environment().compile(text)
        undeclared = meta.find_undeclared_variables(parsed)
    except TemplateSyntaxError as error:
        said = " ".join((error.message or "").split()).rstrip(".")
        return [UserError(f"{key} is not a valid template: {said}", where=at(error.lineno))]
    except (TemplateError, RecursionError, SyntaxError, ValueError, OverflowError, MemoryError):
        return [UserError(f"{key} is not a valid template: it is nested too deeply or too long", where=at(1))]
    errors = [UserError(f"{key} {what}", where=at(line)) for what, line in _forbidden(parsed)]
    for loop in parsed.find_all(nodes.For):
        over = looped_over(loop)
        if isinstance(over, nodes.Name) and over.name in known and is_text(over.name):
            errors.append(UserError(f"{key} loops over {quoted(over.name)}, which is one text", where=at(loop.lineno)))
    for name in sorted(undeclared - set(known)):
        line = next((found.lineno for found in parsed.find_all(nodes.Name) if found.name == name), 1)
        what = f"{key} uses {quoted(name)}, {otherwise}{did_you_mean(name, known)}"
        errors.append(UserError(what, where=at(line)))
    return errors


def _forbidden(parsed: nodes.Template) -> Iterator[tuple[str, int]]:
    for node in parsed.find_all(nodes.Node):
        check = _CHECKS.get(type(node))
        said = check(node) if check else None
        if said:
            yield said, node.lineno


def _attribute(node: nodes.Node) -> str | None:
    assert isinstance(node, nodes.Getattr)
    if node.attr.startswith("_"):
        return f"may not look at {quoted(node.attr)}"
    if isinstance(node.node, nodes.Name) and node.node.name in PROMPT_NAMES and node.attr not in _FIELDS:
        return f"uses {quoted(f'{node.node.name}.{node.attr}')}, but only name and title are known of a role"
    return None


def _item(node: nodes.Node) -> str | None:
    assert isinstance(node, nodes.Getitem)
    key = node.arg.value if isinstance(node.arg, nodes.Const) else None
    return f"may not look at {quoted(key)}" if isinstance(key, str) and key.startswith("_") else None


def _operator(node: nodes.Node) -> str | None:
    return next(f"may not use the operator {sign}" for kind, sign in _OPERATORS.items() if isinstance(node, kind))


_CHECKS: dict[type[nodes.Node], Callable[[nodes.Node], str | None]] = {
    nodes.Getattr: _attribute,
    nodes.Getitem: _item,
    nodes.Call: lambda node: "may not call anything (filters such as `| trim` can be used)",
    **dict.fromkeys(_INCLUDES, lambda node: "may not include other files"),
    **dict.fromkeys(_OPERATORS, _operator),
}
