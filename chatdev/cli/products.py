"""`list` and `show`: look into the warehouse."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from chatdev.cli.common import echo_json, is_there, json_option, out_option, warehouse
from chatdev.errors import UsageError, UserError
from chatdev.run import product as products
from chatdev.screen.text import rung_text, safe, seconds_text

if TYPE_CHECKING:
    from chatdev.run.steps import Step


@click.command("list")
@out_option
@json_option
def list_command(out: str | None, as_json: bool) -> int:
    """List the products of the warehouse, newest first."""
    folder = warehouse(out)
    rows = [_row(product) for product in products.products(folder)]
    if as_json:
        echo_json(rows)
    elif not rows:
        click.echo(f"no products in {folder}")
    else:
        width = max(len(row["product"]) for row in rows)
        for row in rows:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["changed"]))
            state = row["verdict"] if row["state"] == "finished" else row["state"]
            click.echo(f"{safe(row['product']):<{width}}  {safe(state):<11}  {when}  {safe(row['task'])[:60]}")
    return 0


def _task(product: products.Product) -> str:
    """The task as the journal has it, for a run that was killed before it could write a report."""
    from chatdev.run.journal import read_events

    with contextlib.suppress(UserError, OSError):
        events, _ = read_events(product.journal)
        return next((str(event.get("task", "")) for event in events if event.kind == "run_started"), "")
    return ""


def _row(product: products.Product) -> dict[str, Any]:
    report = product.report() or {}
    return {
        "product": product.name,
        "folder": str(product.root),
        "verdict": str(report.get("verdict") or "unverified"),
        "state": str(report.get("state") or "interrupted"),
        "task": " ".join(str(report.get("task") or _task(product)).split()),
        "changed": product.journal.stat().st_mtime,
    }


@click.command("show")
@click.argument("product")
@click.option("--dialogue", is_flag=True, help="Print the whole run again, every word of it.")
@click.option("--costs", is_flag=True, help="Print what was spent, by role and by phase.")
@click.option("--blame", metavar="FILE:LINE", help="Print the dialogue that wrote a line.")
@out_option
@json_option
def show_command(product: str, dialogue: bool, costs: bool, blame: str | None, out: str | None, as_json: bool) -> int:
    """Show a product: verdict, evidence, steps, commits, cost."""
    from chatdev.run.journal import Journal, read_events
    from chatdev.run.ledger import Ledger
    from chatdev.run.past import counting
    from chatdev.run.report import make_report
    from chatdev.run.steps import steps_of

    if sum((dialogue, costs, blame is not None)) > 1:
        raise UsageError("--dialogue, --costs and --blame are three different things", fix="Give one of them")
    found = products.find(warehouse(out), product)
    events, _ = read_events(found.journal)
    started = next((event for event in events if event.kind == "run_started"), None)
    titles = started["titles"] if started else {}
    if blame is not None:
        return _blame(found, blame, titles, as_json)
    if dialogue:
        from chatdev.screen.plain import PlainScreen

        screen = PlainScreen(sys.stdout, titles, verbose=True)
        for event in events:
            screen.read(event)
        return 0
    ledger = Ledger()
    ledger.read_all(events, found.journal)
    journal = Journal.reading(found.journal, events)
    report = make_report(found, journal, ledger)
    if costs:
        return _costs(report, as_json)
    if as_json:
        echo_json(report)
        return 0
    for line in _lines(report, [_step_line(step) for step in steps_of(counting(events))]):
        click.echo(line)
    return 0


def _blame(product: products.Product, place: str, titles: dict[str, str], as_json: bool) -> int:
    from chatdev.chain.blame import blame
    from chatdev.cli.blaming import blame_json, blame_lines

    found = blame(product, place)
    if as_json:
        echo_json(blame_json(found))
        return 0
    for line in blame_lines(found, titles):
        click.echo(line)
    return 0


def _costs(report: dict[str, Any], as_json: bool) -> int:
    from chatdev.cli.costs import cost_lines, costs_json

    if as_json:
        echo_json(costs_json(report))
        return 0
    for line in cost_lines(report):
        click.echo(line)
    return 0


def _step_line(step: Step) -> str:
    parts = [f"{step.path:<28} {step.title}"]
    if step.replies:
        parts.append(f"{step.replies} {'reply' if step.replies == 1 else 'replies'}")
    parts += [f"commit {sha[:8]}" for sha in step.commits]
    parts += [step.verdict] if step.verdict else []
    return ", ".join(parts if step.ended else [*parts, "not finished"])


def _lines(report: dict[str, Any], steps: list[str]) -> list[str]:
    money = "price unknown" if report["money"] is None else f"${report['money']:.4f}"
    models = sorted(set(report["models"].values()))
    lines = [
        f"{report['product']}: {report['verdict']}, {safe(report['reason'])}",
        f"  task     {safe(' '.join(report['task'].split()))[:200]}",
        f"  company  {report['company']} with {', '.join(models)}",
        f"  spent    {report['replies']} replies, {report['tokens']:,} tokens, {money}, "
        f"{seconds_text(report['seconds'])}",
        f"  sandbox  {safe(report['ladder'].get('engine', 'none'))}",
        "  checks",
    ]
    lines += [f"    {rung_text(rung)}" for rung in report["ladder"]["rungs"]]
    if report["parent"]:
        parent = report["parent"]
        lines.insert(1, f"  forked   from {safe(parent['parent'])} before {safe(parent['title'])} [{parent['step']}]")
    lines.append("  steps")
    lines += [f"    {safe(line)}" for line in steps]
    lines.append("  commits")
    lines += [f"    {one['sha'][:8]}  {one['by']:<11}  {safe(one['message'])}" for one in report["commits"]]
    lines.append("  by phase")
    for name, account in report["by_phase"].items():
        lines.append(f"    {name:<20} {account['replies']:>3} replies  {account['tokens']:>8,} tokens")
    return [*lines, report["folder"]]


def folder_of(name: str, out: str | None) -> Any:
    """The folder a user means: a path that exists, or a product by name. Returns a pathlib.Path."""
    from pathlib import Path

    path = Path(name).expanduser()
    if is_there(path.is_dir):
        return path.resolve()
    if is_there(path.exists):
        raise UserError("this is a file; the checks need a folder", where=name)
    return products.find(warehouse(out), name).root
