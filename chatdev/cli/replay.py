"""`replay`: play a run's journal in the terminal, as it was or faster."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from chatdev.cli.common import out_option, warehouse
from chatdev.errors import UserError
from chatdev.run import product as products

if TYPE_CHECKING:
    from chatdev.run.ledger import Ledger
    from chatdev.screen.playing import Player


class Speed(click.FloatRange):
    """A number from 0 on; what is no number (nan) would pass every comparison."""

    name = "speed"

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        return self.fail(f"{value} is not a number", param, ctx) if math.isnan(found) else found


@click.command("replay")
@click.argument("product")
@click.option(
    "--speed",
    type=Speed(),
    metavar="N",
    help="1 is as it was, 20 is twenty times as fast, 0 waits for nothing.  [default: 20, in a pipe 0]",
)
@click.option("--from", "start", metavar="STEP", help="Begin at this step, as `show` prints it; or at an event.")
@click.option("--verbose", "-v", is_flag=True, help="Show every prompt as well.")
@out_option
def replay_command(product: str, speed: float | None, start: str | None, verbose: bool, out: str | None) -> int:
    """Play a run in the terminal again. Space pauses, + and - change the speed, q ends it."""
    from chatdev.run.journal import read_events
    from chatdev.run.ledger import Ledger
    from chatdev.run.past import counting
    from chatdev.run.steps import find_step, steps_of
    from chatdev.screen.keys import Keys
    from chatdev.screen.playing import Player

    found = products.find(warehouse(out), product)
    events, _ = read_events(found.journal)
    first = 0
    if start is not None:
        first = find_step(steps_of(counting(events)), start, str(found.root)).first
    ledger = Ledger()
    ledger.read_all([event for event in events if event.id < first], found.journal)
    rest = [event for event in events if event.id >= first]
    if not rest:
        raise UserError("nothing happened in this run", where=str(found.root))
    live = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    pace = speed if speed is not None else (20.0 if sys.stdout.isatty() else 0.0)
    started = next((event for event in events if event.kind == "run_started"), None)
    titles: dict[str, str] = started["titles"] if started else {}
    with Keys(sys.stdin) as keys:
        player = Player(pace, keys.read)
        screen = _screen(live, ledger, titles, verbose, player)
        try:
            player.play(rest, [ledger.read, screen.read])
        except KeyboardInterrupt:
            return 130
        finally:
            screen.close()
    return 0


def _screen(live: bool, ledger: Ledger, titles: dict[str, str], verbose: bool, player: Player) -> Any:
    """The screen of a living run."""
    if live:
        from rich.console import Console

        from chatdev.screen.live import LiveScreen

        console = Console(highlight=False, markup=False, emoji=False)
        return LiveScreen(console, ledger, titles, verbose, clock=player.now)
    from chatdev.screen.plain import PlainScreen

    return PlainScreen(sys.stdout, titles, verbose)
