"""Who answers for the person in a run, and how somebody at the terminal speaks to it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatdev.errors import UserError

if TYPE_CHECKING:
    from chatdev.chain.company_run import CompanyRun
    from chatdev.company import CompanyBundle

answers_option = click.option(
    "--answers", metavar="FILE|inbox", help="Answer for the person: from a YAML file, or by letter (the studio)."
)


def person_of(bundle: CompanyBundle, answers: str | None, as_json: bool) -> Any:
    """Whoever answers, where the company needs somebody; that nobody is there is told before anything is spent."""
    from chatdev.chain.absent import ByLetter, FromFile
    from chatdev.chain.crew import model_name
    from chatdev.chain.packages import PACKAGES
    from chatdev.chain.people import TWO_WAYS, Nobody
    from chatdev.llm.select import resolve
    from chatdev.screen.ask import TerminalPerson
    from chatdev.screen.typing import at_terminal

    if answers == "inbox":
        return ByLetter()
    if answers is not None:
        return FromFile(Path(answers).expanduser(), {*bundle.phases, PACKAGES})
    asks = [name for name, phase in bundle.phases.items() if phase.instructor == "human"]
    chairs = [role for role in bundle.used_roles() if resolve(model_name(bundle, role)) == "human"]
    needed = bundle.company.review != "none" or asks or chairs
    if not needed and not at_terminal():
        return Nobody()
    if sys.stdin is None or not sys.stdin.isatty():
        who = f"review: {_listed(bundle)} asks a person"
        if asks or chairs:
            who = f'the phase "{asks[0]}" asks a person' if asks else f'a person is the "{chairs[0]}"'
        raise UserError(f"{who}, and there is no terminal", fix=TWO_WAYS)
    return TerminalPerson(out=sys.stderr if as_json else sys.stdout)


def _listed(bundle: CompanyBundle) -> str:
    review = bundle.company.review
    return review if isinstance(review, str) else ", ".join(review)


def listen(life: CompanyRun, screens: list[Any]) -> None:
    """Where somebody is at the terminal: let them speak while the agents work, and pause with Ctrl-C."""
    from chatdev.run.inbox import Inbox
    from chatdev.screen.ask import TerminalPerson
    from chatdev.screen.typing import Pause, Speech, Typing, at_terminal

    person = life.person
    if not isinstance(person, TerminalPerson):
        return
    roles = {name: life.bundle.roles[name].title for name in life.bundle.used_roles()}
    speech = Speech(Inbox(life.product.inbox), roles)
    live = [screen for screen in screens if hasattr(screen, "typed")]
    if live and person.keyboard.each_key:
        typing = Typing(person.keyboard, live[0], speech)
        typing.go_on()
        screens.insert(0, typing)
    person.screens = screens
    if at_terminal():

        def hint(text: str) -> None:
            for screen in live:
                screen.hint = text
            if text and not live:
                os.write(2, f"\n{text}\n".encode())

        pause = Pause(person, speech, hint)
        life.rest = pause.rest
        signal.signal(signal.SIGINT, pause.signalled)
