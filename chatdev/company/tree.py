"""Work on YAML trees: find a place, merge two, set one value, leave some out.

Contract: every function keeps the marks of what it keeps, so that an error in a merged company still names
the file and line it came from. Trees are never changed in place (aliases may share nodes).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatdev.company.fields import quoted
from chatdev.company.safe_yaml import UNPRINTABLE, Map, Mark, Node, Seq, Text, read_yaml
from chatdev.errors import UserError, UserErrors

Path = tuple[str | int, ...]


def follow(tree: Node, loc: Sequence[str | int]) -> tuple[Path, Node, Mark]:
    """Walk `loc` as far as the tree goes; parts that are not in the tree (a validator's own tags) are
    passed over.

    Returns the path that was really there, the node at its end, and where a person would look for it: the
    key's line for lists and mappings, the value's own for texts.
    """
    path: Path = ()
    node, mark = tree, tree.mark
    for part in loc:
        if isinstance(node, Map) and isinstance(part, str) and part in node.items:
            key = node.keys[part]
            node = node.items[part]
            mark = node.mark if isinstance(node, Text) and node.value and not node.block else key
        elif isinstance(node, Seq):
            index = part if isinstance(part, int) else _index(node, part)
            if index is None or index >= len(node.items):
                continue
            part, node = index, node.items[index]
            mark = node.mark
        else:
            continue
        path = (*path, part)
    return path, node, mark


def _index(node: Seq, word: str) -> int | None:
    """Where a list holds `word`: a list of names stands for a mapping with these keys."""
    for number, item in enumerate(node.items):
        if isinstance(item, Text) and item.value == word:
            return number
    return None


def where(tree: Node, *loc: str | int) -> str:
    """`file:line` of what `loc` names."""
    return str(follow(tree, loc)[2])


def merged(base: Map, over: Map) -> Map:
    """`base` with what `over` says instead: mappings are merged, everything else is replaced as a whole.

    One exception: where `base` lists names and `over` maps names to settings, the list is taken as a
    mapping too.
    """
    made = Map(over.mark, dict(base.items), dict(base.keys))
    for key, node in over.items.items():
        old = base.items.get(key)
        if isinstance(old, Seq) and isinstance(node, Map) and key == "roles":
            old = as_map(old)
        made.items[key] = merged(old, node) if isinstance(old, Map) and isinstance(node, Map) else node
        made.keys[key] = over.keys[key]
    return made


def as_map(names: Seq) -> Map:
    """A list of names as a mapping from each to null; what is no name is left out."""
    made = Map(names.mark)
    for item in names.items:
        if isinstance(item, Text) and item.value:
            made.items[item.value], made.keys[item.value] = Text(item.mark, None), item.mark
    return made


def without(node: Node, paths: Iterable[Path]) -> Node:
    """A copy of the tree that lacks what the paths name."""
    gone = set(paths)

    def copy(node: Node, at: Path) -> Node:
        if isinstance(node, Map):
            kept = {k: copy(v, (*at, k)) for k, v in node.items.items() if (*at, k) not in gone}
            return Map(node.mark, kept, {k: node.keys[k] for k in kept}, node.weight)
        if isinstance(node, Seq):
            items = [copy(v, (*at, n)) for n, v in enumerate(node.items) if (*at, n) not in gone]
            return Seq(node.mark, items, node.weight)
        return node

    return copy(node, ())


def with_setting(tree: Map, key: str, text: str) -> Map:
    """The tree with `--set key=text`. The key is dotted; the text is one scalar, or a YAML list, mapping or
    string when it begins with a bracket, brace or quote.

    Raises:
        UserErrors: the text is not valid YAML, or the key leads through something that is not a mapping.
    """
    mark = Mark(f"--set {quoted(f'{key}={text}')[1:-1]}")
    parts = key.split(".")
    if not all(parts):
        raise UserErrors([UserError("the key has an empty part", where=str(mark))])
    over = _value(text, mark)
    for part in reversed(parts):
        over = Map(mark, {part: over}, {part: mark})
    node: Node | None = tree
    for number, part in enumerate(parts[:-1], 1):
        node = node.items.get(part) if isinstance(node, Map) else None
        if isinstance(node, Seq) and part != "roles":
            what = f"{'.'.join(parts[:number])} is a list; give it whole, as [a, b]"
            raise UserErrors([UserError(what, where=str(mark))])
    assert isinstance(over, Map)
    return merged(tree, over)


def _value(text: str, mark: Mark) -> Node:
    stripped = text.strip()
    if stripped[:1] in ("[", "{", '"', "'"):
        return _placed(read_yaml(stripped, mark.source), mark)
    wrong = UNPRINTABLE.search(stripped)
    if wrong:
        what = f"the character U+{ord(wrong.group()):04X} is not allowed"
        raise UserErrors([UserError(what, where=str(mark))])
    null = stripped in ("", "~", "null")
    return Text(mark, None if null else stripped)


def _placed(node: Node, mark: Mark) -> Node:
    """The node with every mark set to `mark`: a command line has no lines."""
    if isinstance(node, Map):
        return Map(mark, {k: _placed(v, mark) for k, v in node.items.items()}, dict.fromkeys(node.items, mark))
    if isinstance(node, Seq):
        return Seq(mark, [_placed(item, mark) for item in node.items])
    return Text(mark, node.value)
