"""The `words.yaml` of a company's folder, looked over: the house's own sentences that it puts in other words.

Contract: every name is one that the shipped words have, every value a text, and every template names only what the
shipped one of that name does. Parsing only. Non-goal: saying them (the chain room does).
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import meta

from chatdev.company.fields import quoted
from chatdev.company.messages import did_you_mean
from chatdev.company.prompts import lint_template
from chatdev.company.safe_yaml import Map, Text, plain, read_file
from chatdev.company.templates import environment
from chatdev.data import library_root
from chatdev.errors import UserError, UserErrors


def lint_words(path: Path) -> list[UserError]:
    """Faults in a `words.yaml`, each with its line."""
    try:
        tree = read_file(path)
    except UserErrors as found:
        return found.errors
    if not isinstance(tree, Map):
        return [UserError("expected a mapping of names to texts", where=str(tree.mark))]
    shipped = plain(read_file(library_root() / "words" / "default.yaml"))
    errors: list[UserError] = []
    for name, node in tree.items.items():
        place = str(tree.keys[name])
        if name not in shipped:
            meant = did_you_mean(name, shipped) or f" (known: {', '.join(shipped)})"
            errors.append(UserError(f"nobody says {quoted(name)}{meant}", where=place))
        elif not isinstance(node, Text) or node.value is None:
            errors.append(UserError(f"{name}: expected a text", where=place))
        else:
            known = dict.fromkeys(meta.find_undeclared_variables(environment().parse(shipped[name])), "")
            errors += lint_template(tree, name, known, "which is not known there")
    return errors
