"""A local stream is taken up exactly where it was; where it cannot be, the run says so."""

import pytest

from chatdev.chain import recollection, snapshots
from chatdev.chain.recollection import REFED, Moment, Recollection
from chatdev.chain.snapshots import Snapshots, stream_name
from chatdev.llm.base import Sampling, SayLimits
from tests.local.conftest import talker

GREEDY, SEEDED = Sampling(), Sampling(temperature=1.0, seed=5)
TOKENS = 40


@pytest.fixture
def every_reply(monkeypatch):
    """A snapshot after every reply, whatever it costs."""
    monkeypatch.setattr(snapshots, "WORTH", 0.0)


class Life:
    """One life of an agent on a tiny random model that forgets what it heard 128 tokens ago."""

    def __init__(self, folder, sampling, birth="a programmer"):
        self.notices = []
        self.model = talker(sampling=sampling)
        self.shelf = Snapshots(folder, self.notices.append)
        self.memory = Recollection(
            lambda: self.model.open("You are a programmer.", seed=3),
            birth,
            stream_name("programmer", "run"),
            self.shelf,
            self.notices.append,
        )

    def live(self, past, until):
        """Go through the turns recorded in `past`, then through new ones."""
        for number in range(until):
            if number < len(past):
                heard, (text, seconds), marks = past[number]
                self.memory.again(Moment("heard", heard), marks[0])
                self.memory.again(Moment("said", text, TOKENS, seconds), marks[1])
                continue
            self.memory.wake()
            heard = f"Turn {number}: go on, please."
            told = self.memory.stream.hear(heard)
            self.memory.lived(Moment("heard", heard))
            text = "".join(self.memory.stream.say(SayLimits(tokens=TOKENS)))
            reply = self.memory.stream.reply
            self.memory.lived(Moment("said", text, TOKENS, reply.usage.seconds))
            marks = [told.start, told.end], [reply.mark.start, reply.mark.end]
            past.append((heard, (text, reply.usage.seconds), marks))
        return [text for _, (text, _), _ in past]


@pytest.mark.parametrize("sampling", [GREEDY, SEEDED], ids=["greedy", "seeded"])
@pytest.mark.parametrize("saved", [True, False], ids=["from a snapshot", "said again"])
def test_what_is_said_after_a_stop_is_what_would_have_been_said(tmp_path, monkeypatch, sampling, saved):
    monkeypatch.setattr(snapshots, "WORTH", 0.0 if saved else 1e9)
    whole = Life(tmp_path / "whole", sampling).live([], 9)
    past = []
    Life(tmp_path / "streams", sampling).live(past, 5)
    again = Life(tmp_path / "streams", sampling)
    assert again.live(past, 9) == whole
    assert again.notices == []
    assert bool(list(tmp_path.glob("streams/*.safetensors"))) == saved


def test_from_a_snapshot_nothing_is_generated_twice(tmp_path, every_reply):
    past = []
    Life(tmp_path, GREEDY).live(past, 5)
    again = Life(tmp_path, GREEDY)
    again.live(past, 5)
    forward, ran = again.model.forward, []
    again.model.forward = lambda ids, cache, rows: ran.append(ids.shape[1]) or forward(ids, cache, rows)
    again.memory.wake()
    assert ran == []


def test_without_a_snapshot_a_long_past_is_fed_again_and_the_run_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "WORTH", 1e9)
    monkeypatch.setattr(recollection, "REPEATED", 0.0)
    past = []
    Life(tmp_path, SEEDED).live(past, 4)
    again = Life(tmp_path, SEEDED)
    assert len(again.live(past, 6)) == 6
    assert again.notices == [REFED]
    assert again.memory.stream.window.total > 4 * TOKENS


def test_a_snapshot_of_another_past_is_not_taken(tmp_path, every_reply):
    past = []
    Life(tmp_path, GREEDY).live(past, 3)
    changed = [("Turn 0: something else.", *past[0][1:]), *past[1:]]
    other = Life(tmp_path, GREEDY)
    other.live(list(changed), 3)
    other.memory.wake()
    assert other.notices == [REFED], "another text was heard, so the same replies do not come again"
    assert Life(tmp_path, GREEDY, birth="a tester").shelf.of(stream_name("tester", "run"), ["0" * 32]) == []


def test_a_damaged_snapshot_costs_only_work(tmp_path, every_reply):
    whole = Life(tmp_path / "whole", SEEDED).live([], 6)
    past = []
    Life(tmp_path / "streams", SEEDED).live(past, 4)
    for path in sorted((tmp_path / "streams").iterdir())[-2:]:
        path.write_bytes(path.read_bytes()[:500])
    again = Life(tmp_path / "streams", SEEDED)
    assert again.live(past, 6) == whole


def test_snapshots_are_bounded_and_the_newest_of_each_stream_stays(tmp_path, every_reply, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST_FILES", 3)
    past = []
    life = Life(tmp_path, GREEDY)
    life.live(past, 8)
    assert len(list(tmp_path.iterdir())) == 4
    newest = life.shelf.of(stream_name("programmer", "run"), life.memory._prints)[0][0]
    assert newest == 16
    (tmp_path / "left.123.tmp").write_bytes(b"half")
    monkeypatch.setattr(snapshots, "MOST_BYTES", 0)
    life.live(past, 9)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_a_disk_that_is_full_for_snapshots_ends_nothing(tmp_path, every_reply, monkeypatch):
    past = []
    life = Life(tmp_path, GREEDY)
    life.live(past, 3)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(life.memory.stream, "save", full)
    assert len(life.live(past, 5)) == 5
    assert set(life.notices) == {
        "no snapshot of a stream could be written ([Errno 28] No space left on device)",
    }
    assert len(list(tmp_path.iterdir())) == 1, "the older ones made room"


def test_a_snapshot_costs_a_twentieth_of_the_work_at_most(tmp_path):
    shelf = Snapshots(tmp_path)
    stream = talker().open("Head")
    stream.hear("Speak")
    list(stream.say(SayLimits(tokens=30)))
    assert not shelf.keep(stream, "a.00000000", 1, "0" * 32, worked=0.05)
    assert shelf.keep(stream, "a.00000000", 1, "0" * 32, worked=60.0)
