"""The ledger: tokens, money and time as the journal tells them."""

import pytest

from chatdev.errors import LimitReached
from chatdev.run.journal import Event
from chatdev.run.ledger import Ledger, RunLimits


def said(number, at, money=0.01, agent="programmer"):
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "money": money, "seconds": 2.0}
    return Event(number, at, "said", f"k{number}", {"agent": agent, "phase": "coding", "usage": usage})


def life(number, at):
    return Event(number, at, "life", None, {})


def test_tokens_money_and_time_add_up_over_two_lives():
    ledger = Ledger()
    for event in (life(1, 1000.0), said(2, 1010.0), life(3, 5000.0), said(4, 5005.0, agent="tester")):
        ledger.read(event)
    assert (ledger.total.tokens, ledger.total.replies) == (240, 2)
    assert ledger.total.money == pytest.approx(0.02)
    assert ledger.by_role["tester"].tokens == 120
    assert ledger.seconds() == pytest.approx(15.0), "the night between two lives is not work"


def test_waiting_for_a_person_is_not_work():
    ledger = Ledger()
    ledger.read(life(1, 1000.0))
    ledger.read(Event(2, 1500.0, "answered", "a", {"waited": 480.0}))
    ledger.read(Event(3, 1800.0, "paused", None, {"waited": 290.0}))
    mailbox = said(4, 2400.0)
    ledger.read(Event(4, 2400.0, "said", "k", {**mailbox.data, "waited": 590.0}))
    assert ledger.seconds() == pytest.approx(40.0)


def test_an_unknown_price_is_said_and_never_counts_as_nothing():
    ledger = Ledger()
    ledger.read(said(1, 1.0, money=None))
    assert ledger.total.money_text() == "price unknown"
    assert ledger.total.to_json()["money"] is None
    ledger.read(said(2, 2.0, money=0.5))
    assert ledger.total.money_text() == "$0.5000 + 1 replies of unknown price"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (RunLimits(tokens=120), "limit tokens: 120 of 120 used"),
        (RunLimits(money=0.01), "limit money: \\$0.0100 of \\$0.01 spent"),
        (RunLimits(turns=1), "limit turns: 1 of 1 replies made"),
        (RunLimits(minutes=1), "limit minutes"),
    ],
)
def test_each_limit_stops_before_the_next_reply(limits, text):
    ledger = Ledger()
    RunLimits(tokens=1, money=1, turns=1).check(ledger)
    ledger.read(life(1, 0.0))
    ledger.read(said(2, 100.0))
    with pytest.raises(LimitReached, match=text):
        limits.check(ledger)
