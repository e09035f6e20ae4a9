"""The trainer: resumable to the bit, it learns, and what it writes opens like any other model."""

import json
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

from chatdev.apprentice import average
from chatdev.apprentice.batches import Material
from chatdev.apprentice.course import Course
from chatdev.apprentice.deputy import Deputy
from chatdev.apprentice.drills import drill
from chatdev.apprentice.faults import Fault
from chatdev.apprentice.muon import Muon
from chatdev.apprentice.network import Shape, new
from chatdev.apprentice.outcome import export
from chatdev.apprentice.priming import Part, primed_parts
from chatdev.apprentice.recipe import Recipe
from chatdev.apprentice.rehearsal import WINDOW, default_company, rehearse
from chatdev.apprentice.shards import Making, _untaught
from chatdev.apprentice.streams import SETTING
from chatdev.apprentice.tokenizer import dialogues, masked
from chatdev.apprentice.tokenizer import train as train_tokenizer
from chatdev.apprentice.train import Options, first_weights, make_tokenizer, remembered
from chatdev.apprentice.training import Training, _slots
from chatdev.cli import cli
from chatdev.errors import UserError
from chatdev.llm.base import SayLimits
from chatdev.llm.local import open_local
from tests.apprentice import tiny
from tests.chain.house import chatdev, only_product

TINY = Shape(32, 2, 2, 1, 64, 1200, 16)
RECIPE = Recipe(tokens=16_000, batch=1024, lr=3e-3, shortest=512, drills=0.1, window=384, measure=6_000)


def training(folder, tokenizer, spelling, rows, recipe=RECIPE, workers=0):
    network = new(TINY, tokenizer, 1)
    return Training(
        network, tokenizer, spelling, Material(rows), rows, recipe, folder, tell=lambda text: None, workers=workers
    )


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path, tokenizer, spelling, rows):
    whole = training(tmp_path / "whole", tokenizer, spelling, rows)
    assert whole.run()
    halves = training(tmp_path / "halves", tokenizer, spelling, rows)
    assert not halves.run(minutes=0)  # one step
    again = training(tmp_path / "halves", tokenizer, spelling, rows, workers=1)  # and with its data made ahead
    assert again.place.step == 1
    assert again.run()
    assert again.place.step == whole.place.step
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, again.network.state_dict()[name]), name
    left = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "halves")]
    assert left[0] == left[1]
    log = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    held = [line for line in log if "held_out" in line]
    assert held[-1]["loss"] < held[0]["loss"]
    assert 0 <= held[-1]["slots_forced"] <= 1

    model = open_local(str(tmp_path / "whole" / "model"))
    assert model.settings.window == WINDOW
    assert model.chat.note == ""
    stream = model.open("You are a tester.")
    stream.hear("Say something.")
    "".join(stream.say(SayLimits(tokens=8)))
    assert tokenizer.convert_ids_to_tokens(stream.head[:2]) == ["<|sink|>", "<|system|>"]

    with pytest.raises(UserError, match="another recipe"):
        training(tmp_path / "halves", tokenizer, spelling, rows, Recipe(tokens=16_000, batch=1024, lr=1e-3))


def test_families_that_are_left_out_are_asked_for_as_unknown():
    making = Making("", 1, families=("tip", "dice"))
    assert {one.family for one in making.held_out()} == {"tip", "dice"}
    assert making.taught() == ["dice", "tip"]
    three = SimpleNamespace(
        FAMILIES=dict.fromkeys(("dice", "maze", "tip")),
        lesson=lambda family, seed: SimpleNamespace(task=family),
        is_held_out=lambda one: False,
        unknown_tasks=lambda seed, count: ["a compiler"],
    )
    rng = random.Random(1)
    tasks = Counter(_untaught(three, making.taught(), rng) for _ in range(100))
    assert set(tasks) == {"maze", "a compiler"}
    assert min(tasks.values()) > 25
    assert [_untaught(three, ["dice", "maze", "tip"], rng) for _ in range(9)] == ["a compiler"] * 9
    with pytest.raises(UserError, match="no family called snail"):
        Making("", 1, families=("snail",)).taught()


def test_a_training_keeps_its_options_and_may_get_more_lessons(tmp_path):
    first = remembered(tmp_path, {"lr": 0.003, "lessons": 640, "families": ("tip",)})
    assert remembered(tmp_path, {}) == first
    assert remembered(tmp_path, {"lessons": 1280, "lr": 0.003}).lessons == 1280
    assert remembered(tmp_path, {}).families == ("tip",)
    for other in ({"lessons": 640}, {"lr": 0.004}, {"lr": 0.004, "lessons": 2560}):
        with pytest.raises(UserError, match="other options"):
            remembered(tmp_path, other)
    assert remembered(tmp_path, {}).lessons == 1280


def test_a_training_begins_where_an_earlier_one_ended(tmp_path, tokenizer):
    earlier = new(TINY, tokenizer, 5)
    export(earlier, tokenizer, tmp_path / "earlier")
    options = Options(base=str(tmp_path / "earlier"))
    found = first_weights(options, make_tokenizer(tmp_path / "next", options))
    assert found.config.stream_window == WINDOW
    export(found, tokenizer, tmp_path / "next" / "model")
    assert str(tmp_path) not in (tmp_path / "next" / "model" / "config.json").read_text()

    config = json.loads((tmp_path / "earlier" / "config.json").read_text())
    (tmp_path / "earlier" / "config.json").write_text(json.dumps({**config, "max_position_embeddings": WINDOW}))
    with pytest.raises(UserError, match="trained for 1,152 positions"):
        first_weights(options, tokenizer)
    for name, weight in earlier.named_parameters():
        assert torch.equal(found.get_parameter(name), weight.to(torch.bfloat16).float()), name


def test_two_trainings_are_averaged_into_a_model_that_opens(tmp_path, tokenizer):
    for seed in (0, 1):
        export(new(TINY, tokenizer, seed), tokenizer, tmp_path / str(seed))
    command = [str(tmp_path / "0"), str(tmp_path / "1"), "--share", "0.25", "--out", str(tmp_path / "both")]
    assert CliRunner().invoke(average.main, command).exit_code == 0
    old, new_, both = (open_local(str(tmp_path / name)).network.state_dict() for name in ("0", "1", "both"))
    for name, weight in both.items():
        torch.testing.assert_close(weight, 0.75 * old[name] + 0.25 * new_[name], rtol=0.01, atol=1e-3)
    assert any(not torch.equal(weight, old[name]) for name, weight in both.items())
    assert json.loads((tmp_path / "both" / "apprentice.json").read_text())["averaged"] == [0.25]


def test_what_does_not_belong_together_is_not_averaged(tmp_path, tokenizer):
    export(new(TINY, tokenizer, 0), tokenizer, tmp_path / "one")
    export(new(replace(TINY, layers=TINY.layers + 1), tokenizer, 0), tokenizer, tmp_path / "other")
    with pytest.raises(UserError, match="no trainings of one model"):
        average.average(tmp_path / "one", tmp_path / "other", 0.5, tmp_path / "both")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        average.average(tmp_path / "one", tmp_path / "empty", 0.5, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_fresh_weights_copy_what_came_before(tokenizer):
    """The heads that are built in: a random run of tokens comes again, and its tokens are foretold."""
    network = new(Shape(192, 2, 4, 4, 256, 1200), tokenizer, 1)
    network.set_attn_implementation("eager")
    dice = torch.Generator().manual_seed(1)
    run, other = (torch.randint(6, len(tokenizer), (8, count), generator=dice) for count in (24, 200))
    first = torch.full((8, 1), tokenizer.bos_token_id)
    with torch.no_grad():
        seen = network(input_ids=torch.cat([first, run, other, run], dim=1), output_attentions=True)
    right = (seen.logits[:, -23:-1].argmax(-1) == run[:, 2:]).float().mean()
    assert right > 0.95, f"{right:.2f} of the tokens, by chance it would be 0.001"
    # Where nothing was said before, the heads look at the first token, which has nothing to be copied.
    assert (seen.attentions[1][:, :2, 30:220, 0] > 0.5).float().mean() > 0.95


def test_the_heads_that_copy_stay_as_they_are_until_the_network_uses_them(tmp_path, tokenizer, spelling, rows):
    fresh = {name: weight.detach().clone() for name, weight in new(TINY, tokenizer, 1).named_parameters()}
    recipe = replace(RECIPE, optimizer="muon", kept=0.5)
    begun = training(tmp_path, tokenizer, spelling, rows, recipe)
    begun.run(minutes=0)  # one step
    names = {id(weight): name for name, weight in begun.network.named_parameters()}
    fixed = 0
    for part in primed_parts(begun.network):
        before = Part(fresh[names[id(part.weight)]], part.columns, part.start, part.size)
        assert torch.equal(part.view(), before.view())
        fixed += part.view().numel()
    changed = sum(int((weight != fresh[name]).sum()) for name, weight in begun.network.named_parameters())
    assert 0.5 * sum(map(torch.Tensor.numel, fresh.values())) < changed
    assert fixed > 0
    begun.run()
    assert not all(
        torch.equal(part.view(), Part(fresh[names[id(part.weight)]], part.columns, part.start, part.size).view())
        for part in primed_parts(begun.network)
    )


def test_a_drill_can_be_answered_from_what_stands_before(tokenizer, spelling):
    for seed in range(60):
        row = drill(spelling, random.Random(seed), 200)
        for start, end in row.own:
            if row.role == "copy":
                known = row.ids[start - 2 : end]
                assert any(row.ids[at : at + len(known)] == known for at in range(start - 3))
            else:
                told = tokenizer.decode(row.ids[:start])
                for line in tokenizer.decode(row.ids[start : end - 1]).splitlines():
                    name, _, value = line.partition(" = ")
                    assert name.lower() in told
                    assert value in told


def test_values_are_masked_from_the_tokenizer_and_spelled_alike_everywhere(tokenizer):
    lesson = tiny.lesson("counter", 0)
    name = lesson.choices["name"]
    assert masked(f'a "{name}" b', lesson) == ['a "', '" b']
    assert tokenizer.tokenize(" 1234567") == ["Ġ", "12", "34", "56", "7"]
    assert tokenizer.tokenize(" Zirpel") == ["Ġ", *tokenizer.tokenize("Zirpel")]
    assert len(tokenizer.tokenize("Zirpel")) > 2
    assert tokenizer.tokenize(" program")[0].startswith("Ġpro")
    assert tokenizer.decode(tokenizer("Grüße, 你好 🐍")["input_ids"]) == "Grüße, 你好 🐍"


def test_lines_of_code_are_one_token_and_what_varies_in_them_stays_apart():
    tokenizer = train_tokenizer(dialogues([tiny.lesson("counter", seed) for seed in range(4)]), 3000)
    tokens = tokenizer.tokenize("\n        self.value = min(LIMIT, self.value + STEP)\n        return self.value")
    assert len(tokens) == 2
    name, other = tokenizer.tokenize('\nNAME = "Tidy Jaguar"'), tokenizer.tokenize('the name is "Tidy Jaguar"')
    assert name[name.index('Ġ"') :] == other[other.index('Ġ"') :]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_muon_moves_weights_as_the_one_in_torch_does(dtype):
    dice = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=dice) for shape in ((40, 20), (20, 20), (10, 30), (40, 20))]
    ours, theirs = ([torch.nn.Parameter(one.clone()) for one in start] for _ in range(2))
    mine = Muon([{"params": ours, "weight_decay": 0.1}], 0.02, 0.95, dtype)
    known = torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1)
    for _ in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = other.grad = torch.randn(one.shape, generator=dice)
        mine.step()
        known.step()
    for one, other, begun in zip(ours, theirs, start, strict=True):
        assert float((one - other).detach().abs().max()) <= (0 if dtype == torch.bfloat16 else 1e-3)
        assert float((one - begun).detach().abs().max()) > 0.02


def test_data_is_made_ahead_when_the_training_has_several_threads(tmp_path, tokenizer, spelling, rows):
    torch.set_num_threads(2)
    large = torch.randn(1 << 20)
    (large + large).sum()  # starts the threads, which a forked process has not got
    recipe = replace(RECIPE, batch=8192)  # large enough that a tensor is copied by several threads
    begun = training(tmp_path, tokenizer, spelling, rows, recipe, workers=1)
    assert begun.run(0.001) is False
    assert begun.place.step > 0


def test_a_slot_counts_when_all_of_it_is_right():
    kinds = torch.tensor([[0, SETTING, SETTING, 1, SETTING, 0], [SETTING, 1, 1, SETTING, SETTING, SETTING]])
    right = torch.tensor([[0, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 1]]).bool()
    assert _slots(kinds, right) == (4, 2)


def test_a_model_that_cannot_repair_does_not_count_as_one_that_can(tmp_path, tokenizer, spelling):
    """The benchmark of repairs: the oracle writes the faulty program, the model alone has to mend it."""
    export(new(TINY, tokenizer, 1), tokenizer, tmp_path)
    one = tiny.DEFECTS[0]
    course = Course(Fault(one.path, one.good, one.bad, one.review, one.summary, True))
    lesson = tiny.lesson("counter", 4)
    company = default_company()
    company.company = company.company.model_copy(
        update={"limits": company.company.limits.model_copy(update={"reply_tokens": 20})}
    )
    deputy = Deputy(lesson, course, 0, open_local(str(tmp_path)))
    done = rehearse(lesson, course, company, None, oracle=deputy)
    checks = [event["report"]["verdict"] for event in done.events if event.kind == "checked"]
    assert set(checks) == {"failed"}
    assert rehearse(lesson, course, company, None, oracle=Deputy(lesson, course, 0, deputy.model, ())).verdict == (
        "verified"
    )


def test_journals_are_distilled_into_a_local_model(tmp_path, tokenizer):
    made = chatdev("--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", "-q", cwd=tmp_path)
    assert made.returncode == 3, made.stderr
    export(new(TINY, tokenizer, 1), tokenizer, tmp_path / "base")
    product, out = only_product(tmp_path), tmp_path / "out"
    command = [
        "distill",
        str(product),
        "--base",
        f"hf:{tmp_path / 'base'}",
        "--out",
        str(out),
        "--lr",
        "0.005",
        "--batch",
        "2048",
        "--window",
        "1024",
    ]
    refused = CliRunner().invoke(cli, command)
    assert isinstance(refused.exception, UserError)
    assert "--all" in str(refused.exception)
    done = CliRunner().invoke(cli, [*command, "--all", "--epochs", "6"])
    assert done.exception is None, done.output
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < log[0]["loss"]
    assert (out / "loss.png").is_file()
    assert open_local(str(out / "model")).settings.window == 1024, "it runs with the window that it was fine-tuned for"
