"""`run` and `resume`: let a company work."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatdev.cli.common import (
    command_name,
    echo_json,
    is_there,
    json_option,
    out_option,
    overrides,
    set_option,
    shown_name,
    warehouse,
)
from chatdev.cli.people import answers_option, listen, person_of
from chatdev.errors import UsageError, UserError
from chatdev.run import product as products

if TYPE_CHECKING:
    from chatdev.chain.company_run import CompanyRun
    from chatdev.run.journal import Event
    from chatdev.run.ledger import Ledger

LONGEST_TASK = 200_000
"""Characters; a task beyond that is a document and belongs into the project's folder."""


def screen_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is shown."""
    function = click.option("--verbose", "-v", is_flag=True, help="Show every prompt as well.")(function)
    function = click.option("--quiet", "-q", is_flag=True, help="Show only the last lines.")(function)
    return json_option(function)


@click.command("run")
@click.argument("stdin", required=False, type=click.Choice(["-"]), metavar="[-]")
@click.option("--task", metavar="TEXT", help="What to build.")
@click.option("--task-file", metavar="FILE", help="Read the task from a file; - is standard input.")
@click.option("--name", metavar="TEXT", help="Name of the product.  [default: from the task]")
@click.option("--company", metavar="NAME|FILE|DIR", help="Who builds it.  [default: default, with --from incremental]")
@click.option(
    "--model", metavar="MODEL", help="auto, openai:NAME, hf:FOLDER-OR-ID, scripted:NAME, mailbox:FOLDER or human."
)
@click.option("--from", "source", metavar="DIR", help="Start from a folder, a repository or a product.")
@click.option("--review", metavar="PHASES", help="Phases a person signs off: all, none or a,b,c.")
@answers_option
@click.option("--accept", metavar="PATH", help="Your own pytest tests; they must pass, and no agent sees their code.")
@click.option("--sandbox", metavar="ENGINE", help="auto, docker, bubblewrap, host or none.")
@click.option("--precision", metavar="KIND", help="Weights of a local model: auto, fp32, bf16, fp16, int8 or int4.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all sampling.")
@out_option
@set_option
@click.option("--dry-run", is_flag=True, help="Show the chain, the prompts' sizes and the cost; spend nothing.")
@screen_options
def run_command(
    stdin: str | None,
    task: str | None,
    task_file: str | None,
    name: str | None,
    company: str | None,
    model: str | None,
    source: str | None,
    review: str | None,
    answers: str | None,
    accept: str | None,
    sandbox: str | None,
    precision: str | None,
    seed: int,
    out: str | None,
    sets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Build a product.  Also without the word `run`:  --task "build a snake game"

    A - reads the task from standard input.
    """
    from chatdev.company import load_company

    wanted = read_task(stdin, task, task_file)
    given = overrides(
        sets, model=model, sandbox__engine=sandbox, review=_review(review), accept=accept, stream__precision=precision
    )
    bundle = load_company(company or ("incremental" if source else "default"), overrides=given)
    if dry_run:
        _source(source, out)
        from chatdev.chain.dry_run import plan
        from chatdev.cli.dry_run import show_plan

        return show_plan(plan(bundle, wanted), as_json)
    from chatdev.chain.company_run import CompanyRun, Order
    from chatdev.chain.crew import model_name
    from chatdev.llm.select import absolute, resolve

    for role in bundle.used_roles():
        resolve(model_name(bundle, role))
    bundle.make_models(absolute)
    begin = _source(source, out)
    person = person_of(bundle, answers, as_json)
    product = products.create(warehouse(out), name or wanted)
    life = CompanyRun(product, bundle, Order(wanted, seed, begin), person)
    try:
        bundle.write(product.company)
        return work(life, quiet, verbose, as_json)
    finally:
        if not life.begun:
            products.discard(product)


@click.command("resume")
@click.argument("product")
@click.option("--model", metavar="MODEL", help="Go on with another model.")
@click.option("--review", metavar="PHASES", help="Phases a person signs off from now on: all, none or a,b,c.")
@answers_option
@click.option("--sandbox", metavar="ENGINE", help="auto, docker, bubblewrap, host or none.")
@out_option
@set_option
@screen_options
def resume_command(
    product: str,
    model: str | None,
    review: str | None,
    answers: str | None,
    sandbox: str | None,
    out: str | None,
    sets: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Go on with a stopped run; nothing that was said is paid for again."""
    from chatdev.chain.company_run import CompanyRun, Order
    from chatdev.company import load_company
    from chatdev.run.journal import first_of

    found = products.find(warehouse(out), product)
    given = overrides(sets, model=model, sandbox__engine=sandbox, review=_review(review))
    bundle = load_company(str(found.company), overrides=given)
    started = first_of(found.journal, "run_started")
    if started is None:
        raise UserError(
            "this run was stopped before it began, and holds no task",
            where=str(found.root),
            fix='Start it anew: run.py --task "..."',
        )
    begin = Path(started["source"]) if started["source"] else None
    if given:
        bundle.write(found.company)
    person = person_of(bundle, answers, as_json)
    life = CompanyRun(found, bundle, Order(started["task"], started["seed"], begin), person)
    return work(life, quiet, verbose, as_json)


def read_task(stdin: str | None, task: str | None, task_file: str | None) -> str:
    """The task from whichever of the three places was used; raises UserError for none, two, or an empty one."""
    places = [place for place in (stdin, task, task_file) if place is not None]
    if len(places) != 1:
        raise UsageError(
            "no task" if not places else "more than one task",
            fix=f'Say what to build: {command_name()} --task "build a snake game", or --task-file FILE, or -',
        )
    if stdin or "-" in (task, task_file):
        if sys.stdin is None:
            raise UserError("there is no standard input to read the task from", fix="Use --task or --task-file")
        text = sys.stdin.buffer.read(LONGEST_TASK * 4).decode("utf-8", errors="replace")
    elif task_file:
        try:
            text = Path(task_file).expanduser().read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"cannot read the task ({error.strerror})", where=task_file) from error
    else:
        text = task or ""
    text = text.replace("\x00", "").strip()
    if not text:
        raise UserError("the task is empty", fix=f'Say what to build: {command_name()} --task "build a snake game"')
    if len(text) > LONGEST_TASK:
        raise UserError(f"the task has more than {LONGEST_TASK:,} characters", fix="Put it into a file of --from DIR")
    return text


def work(life: CompanyRun, quiet: bool, verbose: bool, as_json: bool) -> int:
    """Run one life with a screen, print how it ended, and return the exit code."""
    screens: list[Any] = []

    def make(ledger: Ledger, titles: dict[str, str]) -> Iterable[Callable[[Event], None]]:
        found = None if quiet else _screen(ledger, titles, verbose, as_json)
        if found is not None:
            screens.append(found)
        readers = [screen.read for screen in screens]
        listen(life, screens)
        return readers

    life.screens = make
    _heed_signals()
    try:
        report = life.run()
    except UserError:
        _close(screens)
        if life.begun and sys.stderr is not None:
            click.echo(f"saved; go on with: {command_name()} resume {shown_name(life.product)}", err=True)
        raise
    finally:
        _close(screens)
    if not life.begun:
        click.echo("stopped before anything was done", err=True)
    elif as_json:
        echo_json(report)
    else:
        from chatdev.cli.endings import ending

        for line in ending(report, life.product):
            click.echo(line)
    code = report["exit_code"]
    return int(code)


def _heed_signals() -> None:
    """Being asked to end (a closed terminal, a shutdown) is Ctrl-C: saved, with the way to go on."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, end)


def _close(screens: list[Any]) -> None:
    for screen in screens:
        screen.close()
    screens.clear()


def _screen(ledger: Ledger, titles: dict[str, str], verbose: bool, as_json: bool) -> Any:
    """The live terminal where there is one, plain lines everywhere else."""
    from chatdev.screen.plain import PlainScreen

    out = sys.stderr if as_json else sys.stdout
    if out is None:
        return None
    plain = not out.isatty() or "NO_COLOR" in os.environ or "CI" in os.environ
    if plain or os.environ.get("TERM") == "dumb":
        return PlainScreen(out, titles, verbose)
    from rich.console import Console

    from chatdev.screen.live import LiveScreen

    return LiveScreen(Console(file=out, highlight=False, markup=False, emoji=False), ledger, titles, verbose)


def _review(text: str | None) -> str | None:
    """`a,b` as the YAML list `[a, b]`."""
    if text is None or text in ("all", "none"):
        return text
    if not all(re.fullmatch(r"\s*[A-Za-z0-9_-]+\s*", name) for name in text.split(",")):
        raise UsageError(f'"{text}" is not all, none or names of phases', fix="Example: --review coding,manual")
    return f"[{text}]"


def _source(source: str | None, out: str | None) -> Path | None:
    if source is None:
        return None
    path = Path(source).expanduser()
    if is_there(path.is_dir):
        return path.resolve()
    if "://" in source or source.startswith("git@"):
        raise UserError(
            "a run starts from a folder on this machine", where=source, fix=f"Fetch it first: git clone {source}"
        )
    if is_there(path.exists):
        raise UserError("this is a file; a run starts from a folder", where=source)
    return products.find(warehouse(out), source).root
