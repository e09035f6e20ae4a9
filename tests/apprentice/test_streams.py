"""What is trained on is what the engine holds: the same sentences, the same tokens, the same sight."""

import random
import re
import time
from pathlib import Path

import pytest
import torch

from chatdev.apprentice import curriculum, quick_engine
from chatdev.apprentice.attention import Sight, sight_of, use_streamed
from chatdev.apprentice.course import Course, course_of
from chatdev.apprentice.faults import Fault, mixture, seeded, slip
from chatdev.apprentice.network import Shape, new
from chatdev.apprentice.oracle import Oracle
from chatdev.apprentice.rehearsal import default_company, rehearse, reworded
from chatdev.apprentice.streams import SETTING, Spelling, read_product
from chatdev.chain.company_run import CompanyRun, Order
from chatdev.llm import select
from chatdev.llm.local import LocalModel, Settings
from chatdev.llm.local.cache import SinkCache
from chatdev.run import product as products
from chatdev.run.journal import read_events
from chatdev.sandbox.bundle import bundle_of
from chatdev.sandbox.job import Job, Step
from tests.apprentice import tiny

TINY = Shape(32, 2, 2, 1, 64, 1200, 16)


def fault_of(number):
    one = tiny.DEFECTS[number]
    return Fault(one.path, one.good, one.bad, one.review, one.summary, one.seen_by != "review")


def said_and_told(events):
    return [(event.kind, event.key, event["text"]) for event in events if event.kind in ("told", "said")]


class Dictated:
    """A local model whose network says what an oracle dictates; everything else is the engine's."""

    def __init__(self, oracle, tokenizer, window):
        self.oracle, self.tokenizer = oracle, tokenizer
        network = new(TINY, tokenizer, 1)
        self.model = LocalModel("hf:dictated", network, tokenizer, Settings(window=window, lookup=False))
        self.name, self.resends = "hf:dictated", False
        self.streams = {}

    def describe(self):
        return "dictated"

    def close(self):
        pass

    def open(self, head, *, seed=0):
        stream = self.model.open(head, seed=seed)
        stream.tape.keep = 10**9  # so that the whole stream can be compared
        self.streams[head] = stream
        honest = stream.say

        def say(limits):
            wanted = [*self.model.speller.plain(self.oracle.answer()), self.tokenizer.eos_token_id]
            at = iter(wanted)
            plain = self.model.forward

            def forward(ids, cache, rows):
                logits = plain(ids, cache, rows)
                if cache.plan.seen == stream.tape.total:  # the last chunk before a token is chosen
                    logits[0, -1, next(at)] = 1e9
                return logits

            self.model.forward = forward
            try:
                yield from honest(limits)
            finally:
                self.model.forward = plain

        stream.say = say
        return stream


def company(tmp_path, monkeypatch, model, oracle, lesson):
    """The real company, with git and journal and everything, on a rehearsal's engine."""
    monkeypatch.setitem(select.OPENERS, "hf", lambda rest, setting: model)
    monkeypatch.setattr("chatdev.chain.company_run.open_engine", lambda config, run_id: quick_engine.QuickEngine(3))
    bundle = default_company()
    bundle.company = bundle.company.model_copy(update={"model": "hf:dictated"})
    product = products.create(tmp_path, "counter")
    bundle.write(product.company)
    run = CompanyRun(product, bundle, Order(lesson.task, 3), screens=lambda ledger, titles: [oracle.read])
    return product, run.run()


@pytest.mark.parametrize("number", [1, 3])
def test_rehearsal_journal_and_engine_say_and_hold_the_same(tmp_path, monkeypatch, tokenizer, number):
    """The real company on the real engine, its journal, and the rehearsal: the same sentences and the same tokens."""
    lesson, spelling = tiny.lesson("counter", 6), Spelling.of(tokenizer)
    course = Course(fault_of(number), reviewed=number == 3)
    oracle = Oracle(lesson, course, 3)
    model = Dictated(oracle, tokenizer, window=768)
    product, report = company(tmp_path, monkeypatch, model, oracle, lesson)
    assert report["verdict"] == "verified"
    found = read_product(product.root).rows(spelling)
    tapes = {tuple(stream.head): stream.tape.ids for stream in model.streams.values()}
    assert len(found) == 5
    for row in found:
        tape = tapes[tuple(row.ids[: row.sinks])]
        assert row.ids == [*tape, tokenizer.eos_token_id]  # the engine does not keep the token that ended a reply
    assert any(stream.memory.plan.evicted for stream in model.streams.values()), "no window was ever full"

    done = rehearse(lesson, course, default_company(), spelling, seed=3, window=768)
    assert done.verdict == "verified"
    assert said_and_told(done.events) == said_and_told(read_events(product.journal)[0])
    end = tokenizer.eos_token_id  # written behind a last reply only if it is to be learned
    assert [_without(end, row.ids) for row in done.rows(spelling)] == [_without(end, row.ids) for row in found]


def _without(end, ids):
    return ids[:-1] if ids[-1] == end else ids


def test_only_replies_are_learned_and_none_that_is_wrong_on_purpose(tokenizer, spelling):
    lesson = tiny.lesson("counter", 7)
    done = rehearse(lesson, Course(fault_of(0)), default_company(), spelling)
    for row in done.rows(spelling):
        learned = tokenizer.decode([one for one, kind in zip(row.ids, row.kinds(), strict=True) if kind])
        assert "max(LIMIT," not in learned
        assert "The customer's task" not in learned
        for start, end in row.own:
            assert row.ids[start - 1] == tokenizer.convert_tokens_to_ids("<|assistant|>")
            assert row.ids[end - 1] == tokenizer.eos_token_id
    repaired = next(row for row in done.rows(spelling) if row.role == "programmer")
    settings = [one for one, kind in zip(repaired.ids, repaired.kinds(), strict=True) if kind == SETTING]
    assert tokenizer.decode(settings).startswith(lesson.choices["name"])


def test_training_sees_exactly_what_the_engine_sees(tokenizer):
    network = new(TINY, tokenizer, 2).eval()
    ids = torch.randint(6, len(tokenizer), (2, 400), generator=torch.Generator().manual_seed(1))
    sinks, window = [17, 40], 128
    expected = []
    for row, pinned in zip(ids, sinks, strict=True):
        model = LocalModel("hf:x", network, tokenizer, Settings(window=window, sinks=pinned))
        cache = SinkCache(network, pinned, window - pinned, model.block)
        with torch.no_grad():
            expected.append(torch.cat([model.run(one[None, None], cache, 1)[0] for one in row]))
    rope = use_streamed(network)
    sight = Sight(rope, window, window // 8, torch.tensor(sinks))
    with torch.no_grad(), sight_of(sight):
        got = network(input_ids=ids, use_cache=False).logits
    for row in range(2):
        assert torch.allclose(got[row], expected[row], atol=2e-3), (got[row] - expected[row]).abs().max()
    with torch.no_grad(), sight_of(Sight(rope, window, window // 8, torch.tensor([17, 17]))):
        other = network(input_ids=ids, use_cache=False).logits
    assert not torch.allclose(other[1], expected[1], atol=2e-3), "which tokens are pinned makes no difference"


def test_rewording_changes_words_and_nothing_that_the_chain_reads():
    bundle = default_company()
    other = reworded(bundle, random.Random(4))
    assert [phase.prompt for phase in other.phases.values()] != [phase.prompt for phase in bundle.phases.values()]
    for name, phase in bundle.phases.items():
        for sign in ("{{", "{%", "<INFO>", "<file", "</file>"):
            assert other.phases[name].prompt.count(sign) == phase.prompt.count(sign), (name, sign)


def test_every_course_is_real(spelling):
    """A fault that the ladder shall find makes a report that fails, and the repair is verified."""
    rng = random.Random(2)
    lesson = tiny.lesson("counter", 8)
    for fault in [slip(lesson, rng), seeded(lesson, rng), fault_of(1)]:
        assert fault is not None
        done = rehearse(lesson, Course(fault, reviewed=not fault.by_tests), default_company(), spelling)
        phases = [event["phase"] for event in done.events if event.kind == "said"]
        assert ("test_modification" if fault.by_tests else "code_modification") in phases
        assert done.verdict == "verified"
    assert {bool(course_of(lesson, random.Random(n)).fault) for n in range(20)} == {True, False}


@pytest.mark.parametrize("seed", range(3))
def test_a_mixture_is_one_place_of_another_program(spelling, seed):
    """What it says is wrong stands in the file, what it says is right does not, and the report leads to the repair."""
    lesson = curriculum.lesson("converter", seed)
    fault = mixture(lesson, random.Random(seed))
    assert fault is not None
    whole = {**lesson.program.files, **lesson.program.tests}[fault.path]
    assert whole.count(fault.good) == 1
    broken = whole.replace(fault.good, fault.bad)
    named = re.findall(r"`(.+?)`", fault.summary)
    missing = named.pop(0) if " has no " in fault.summary else None
    wrong, right = [*named, None, None][:2]
    assert missing or wrong
    for line, there, elsewhere in ((missing, whole, broken), (wrong, broken, whole), (right, whole, broken)):
        assert line is None or there.count(line) > elsewhere.count(line)
    assert fault.in_tests == fault.summary.startswith("The test is wrong: ")
    done = rehearse(lesson, Course(fault), default_company(), spelling)
    first = next(event for event in done.events if event.kind == "checked")
    assert (first["report"]["verdict"], done.verdict) == ("failed", "verified")


def test_a_family_without_options_has_no_mixture():
    lesson = tiny.lesson("counter", 1)
    assert mixture(lesson, random.Random(0)) is None


def test_what_a_step_started_ends_with_it(monkeypatch):
    monkeypatch.setattr(quick_engine, "SECONDS", 2)
    code = (
        "import pathlib, subprocess, sys\n"
        "other = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
        "print(other.pid, flush=True)\n"
        "other.wait()\n"
    )
    job = Job(bundle_of({"main.py": code.encode()}), (Step("tests", ["python3", "main.py"]),))
    (run,) = quick_engine.QuickEngine().perform(job)
    assert run.timed_out
    process, limit = Path("/proc") / run.stdout.text.strip() / "stat", time.monotonic() + 20
    while _runs(process) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not _runs(process)


def _runs(stat):
    # Whoever took it over may not have fetched it yet: a process that ended is a zombie until then.
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
