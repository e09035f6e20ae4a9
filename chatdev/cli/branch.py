"""`fork`, `diff` and `undo`: go another way from a step, compare two ways, take a step back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatdev.cli.common import (
    command_name,
    echo_json,
    json_option,
    out_option,
    overrides,
    set_option,
    shown_name,
    warehouse,
)
from chatdev.errors import UsageError
from chatdev.run import product as products
from chatdev.screen.text import safe

if TYPE_CHECKING:
    from chatdev.chain.parting import Parting, Side


@click.command("fork")
@click.argument("product")
@click.option("--at", required=True, metavar="STEP", help="The step to do anew, as `show` prints it; or an event.")
@click.option("--as", "name", required=True, metavar="NAME", help="Name of the fork.")
@click.option("--model", metavar="MODEL", help="Go on with another model.")
@click.option("--role", "roles", multiple=True, metavar="NAME=FILE", help="Go on with another role in its place.")
@click.option("--comment", metavar="TEXT", help="Say something to the agent that works next.")
@out_option
@set_option
@json_option
def fork_command(
    product: str,
    at: str,
    name: str,
    model: str | None,
    roles: tuple[str, ...],
    comment: str | None,
    out: str | None,
    sets: tuple[str, ...],
    as_json: bool,
) -> int:
    """Branch off a product before a step: dialogue, software and streams together. The parent stays as it is."""
    from chatdev.chain.fork import Change, fork

    parent = products.find(warehouse(out), product)
    change = Change(overrides(sets, model=model), _role_files(roles), (comment or "").strip())
    made = fork(parent, warehouse(out), at, name, change)
    if as_json:
        found = {"product": made.product.name, "folder": str(made.product.root), "parent": parent.name}
        echo_json({**found, "step": made.step.path, "commit": made.commit})
        return 0
    at_commit = f"commit {made.commit[:8]}" if made.commit else "no file yet"
    click.echo(f"forked {parent.name} before {safe(made.step.label)}, at {at_commit}")
    click.echo(f"  go on   {command_name()} resume {shown_name(made.product)}")
    click.echo(f"  compare {command_name()} diff {shown_name(parent)} {shown_name(made.product)}")
    click.echo(str(made.product.root))
    return 0


def _role_files(pairs: tuple[str, ...]) -> dict[str, Path]:
    found = {}
    for pair in pairs:
        role, equals, path = pair.partition("=")
        if not equals or not role or not path:
            raise UsageError(f'"--role {pair}" is not name=file', fix="Example: --role reviewer=strict.yaml")
        found[role] = Path(path)
    return found


@click.command("undo")
@click.argument("product")
@click.option("--to", metavar="STEP", help="Go back to before this step.  [default: the last one]")
@click.option("--redo", is_flag=True, help="Take the last undo back.")
@out_option
@json_option
def undo_command(product: str, to: str | None, redo: bool, out: str | None, as_json: bool) -> int:
    """Go back one step of a run. What was undone is kept, and --redo brings it back."""
    from chatdev.chain import undo as undoing

    if redo and to is not None:
        raise UsageError("--redo takes back the last undo as a whole", fix="Give either --to or --redo")
    found = products.find(warehouse(out), product)
    gone = undoing.redo(found) if redo else undoing.undo(found, to)
    if as_json:
        steps = [step.path for step in gone.steps]
        echo_json({"redone" if redo else "undone": steps, "branch": gone.branch, "commit": gone.head})
        return 0
    for step in reversed(gone.steps):
        click.echo(f"{'brought back' if redo else 'undone'}: {safe(step.label)}")
    files = f"as of commit {gone.head[:8]}" if gone.head else "none"
    click.echo(f"  files   {files}")
    if not redo:
        if gone.commits:
            commits = ", ".join(sha[:8] for sha in gone.commits)
            click.echo(f"  kept    {commits} in the branch {gone.branch}")
        click.echo(f"  go on   {command_name()} resume {shown_name(found)}")
        click.echo(f"  back    {command_name()} undo {shown_name(found)} --redo")
    click.echo(str(found.root))
    return 0


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--words", is_flag=True, help="Only where the dialogue parts.")
@click.option("--code", is_flag=True, help="Only the changes of the files, as a patch.")
@out_option
@json_option
def diff_command(a: str, b: str, words: bool, code: bool, out: str | None, as_json: bool) -> int:
    """Show where two runs part, in words and in code."""
    from chatdev.chain.parting import parting

    found = parting(products.find(warehouse(out), a), products.find(warehouse(out), b))
    if as_json:
        echo_json(_as_json(found))
        return 0
    lines: list[str] = []
    if not code:
        lines += _in_words(found)
    if not words:
        lines += _in_code(found, patch_only=code)
    for line in lines:
        click.echo(safe(line))
    return 0


def _in_words(found: Parting) -> list[str]:
    from chatdev.chain.parting import where

    if found.same:
        return [f"The two dialogues are the same: {found.replies} replies."]
    lines = [f"The first {found.replies} replies are the same. Then:"]
    lines += [f"  {mark} {side.name}: {where(side)}" for mark, side in (("-", found.a), ("+", found.b))]
    lines += ["", *found.words]
    for mark, side in (("-", found.a), ("+", found.b)):
        if side.event is not None:
            then = ", ".join(side.steps) or "nothing more"
            lines += ["", f"{mark} {side.name} goes on for {side.replies} replies: {then}"]
    return lines


def _in_code(found: Parting, patch_only: bool) -> list[str]:
    patch = found.patch.splitlines()
    if patch_only:
        return patch
    lines = ["", f"Files, from {found.a.name} to {found.b.name}:"]
    common = f"commit {found.commit[:8]}" if found.commit else "none"
    lines.append(f"  last commit of both: {common}")
    if not found.files:
        return [*lines, "  no difference"]
    lines += [f"  {path}  +{added} −{removed}" for added, removed, path in found.files]
    return [*lines, "", *patch]


def _as_json(found: Parting) -> dict[str, Any]:
    def side(one: Side) -> dict[str, Any]:
        event = one.event
        return {
            "product": one.name,
            "step": one.step.path if one.step else None,
            "key": event.key if event else None,
            "kind": event.kind if event else None,
            "text": event["text"] if event else None,
            "steps": one.steps,
            "replies": one.replies,
            "head": one.head,
        }

    return {
        "same": found.same,
        "same_replies": found.replies,
        "a": side(found.a),
        "b": side(found.b),
        "words": found.words,
        "common_commit": found.commit,
        "files": [{"path": path, "added": added, "removed": removed} for added, removed, path in found.files],
        "patch": found.patch,
    }
