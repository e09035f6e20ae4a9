"""A local model through transformers, on weights made here: small, random, and real."""

from __future__ import annotations

import pytest

from chatdev.errors import UserError
from chatdev.llm.base import Sampling, SayLimits
from chatdev.llm.local.plain import PlainModel

TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random Llama of two layers with a byte-level tokenizer: every byte is a token."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)  # two threads on weights this small only wait for each other
    path = tmp_path_factory.mktemp("tiny")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, "</s>": 1} | {letter: i + 2 for i, letter in enumerate(letters)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=400,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return PlainModel(str(folder))


def ask(stream, text, **limits) -> str:
    stream.hear(text)
    said = "".join(stream.say(SayLimits(**({"tokens": 24} | limits))))
    assert said == stream.reply.text
    return said


def from_scratch(model, stream, tokens) -> str:
    """The greedy continuation of the whole dialogue, by transformers' own `generate`."""
    import torch

    ids = torch.tensor([model.render(stream.head, stream.messages[stream._start :])])
    out = model.network.generate(ids, max_new_tokens=tokens, do_sample=False)
    return model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_it_says_what_transformers_says_turn_after_turn(model):
    stream = model.open("You are a programmer.")
    for turn in range(4):
        stream.hear(f"Turn {turn}: go on, ключ 🐍.")
        expected = from_scratch(model, stream, 24)
        assert "".join(stream.say(SayLimits(tokens=24))) == expected
        assert stream.reply.text == expected


def test_only_what_is_new_is_read(model):
    stream = model.open("You are a programmer. " * 8)
    ask(stream, "One")
    first = stream.reply.usage.prompt_tokens
    assert first > 180
    # Plain ASCII replies come back from the template token for token, others only up to their first odd byte.
    stream.messages[-1:] = []
    stream.recall("fine")
    ask(stream, "Two")
    assert stream.reply.usage.prompt_tokens < 60
    assert not model.resends


def test_a_full_context_drops_the_oldest_and_goes_on(model):
    stream = model.open("You are a programmer.")
    marks = [(stream.hear(f"Message {i} " + "x" * 60), ask(stream, "Go on", tokens=20))[0] for i in range(8)]
    assert stream.window.held <= 400
    assert stream.window.total > 500
    assert not stream.holds(marks[0])
    assert stream.holds(marks[-1])
    expected = (stream.hear("last"), from_scratch(model, stream, 20))[1]
    assert "".join(stream.say(SayLimits(tokens=20))) == expected


def test_a_message_larger_than_the_context_is_cut(model):
    stream = model.open("You are a programmer.")
    ask(stream, "y" * 5000)
    assert stream.reply.usage.prompt_tokens <= 400


def test_a_head_larger_than_the_context_is_told(model):
    stream = model.open("z" * 1000)
    stream.hear("Hi")
    with pytest.raises(UserError, match="does not fit"):
        list(stream.say(SayLimits()))


def test_seeds_repeat_and_differ(folder):
    model = PlainModel(str(folder), sampling=Sampling(temperature=1.0, top_p=0.95, top_k=50, repetition_penalty=1.1))
    same = {ask(model.open("head", seed=5), "Hi") for _ in range(2)}
    others = {ask(model.open("head", seed=seed), "Hi") for seed in range(1, 5)}
    assert len(same) == 1
    assert len(others) > 1


def test_top_k_of_one_is_greedy(folder, model):
    one = PlainModel(str(folder), sampling=Sampling(temperature=2.0, top_k=1))
    assert ask(one.open("head"), "Hi") == ask(model.open("head"), "Hi")
    tiny = PlainModel(str(folder), sampling=Sampling(temperature=2.0, top_p=1e-9))
    assert ask(tiny.open("head"), "Hi") == ask(model.open("head"), "Hi")


def test_limits_hold(model):
    stream = model.open("head")
    ask(stream, "Hi", tokens=7)
    assert stream.reply.usage.completion_tokens == 7
    assert stream.reply.finish == "length"
    whole = ask(model.open("head"), "Hi", tokens=40)
    stop = whole[5:7]
    stream = model.open("head")
    assert ask(stream, "Hi", tokens=40, stop=(stop,)) == whole[: whole.index(stop)]
    assert stream.reply.finish == "stop"


def test_the_end_token_ends_a_reply(folder):
    model = PlainModel(str(folder))
    often = ask(model.open("head"), "Hi")
    model.network.generation_config.eos_token_id = [1, model.tokenizer(often[3:4])["input_ids"][0]]
    stream = model.open("head")
    assert ask(stream, "Hi") == often[: often.index(often[3])]
    assert stream.reply.finish == "stop"


def test_a_fork_and_its_origin_say_the_same(model):
    stream = model.open("head")
    ask(stream, "One")
    other = stream.fork()
    assert ask(stream, "Two") == ask(other, "Two")
    ask(other, "Three")
    assert (len(stream.messages), len(other.messages)) == (4, 6)


def test_a_snapshot_goes_on_the_same(model, tmp_path):
    stream = model.open("head")
    ask(stream, "One")
    stream.save(tmp_path / "s.json")
    again = model.open("head")
    assert again.load(tmp_path / "s.json")
    assert ask(stream, "Two") == ask(again, "Two")
    assert not model.open("other").load(tmp_path / "s.json")


def test_a_reply_broken_off_leaves_no_trace(model):
    stream, clean = model.open("head"), model.open("head")
    stream.hear("Hi")
    said = stream.say(SayLimits())
    next(said)
    said.close()
    clean.hear("Hi")
    assert list(stream.say(SayLimits(tokens=9))) == list(clean.say(SayLimits(tokens=9)))


def test_no_chat_template_is_remarked_and_a_basic_one_used(folder, tmp_path):
    import shutil

    copy = tmp_path / "bare"
    shutil.copytree(folder, copy)
    (copy / "chat_template.jinja").unlink()
    notices = []
    model = PlainModel(str(copy), on_notice=notices.append)
    assert "no chat template" in notices[0]
    text = model.tokenizer.decode(model.render("head", []))
    assert "System: head" in text
    assert ask(model.open("head"), "Hi")


def test_a_template_without_a_system_role_gets_the_head_from_the_user(folder, tmp_path):
    import shutil

    copy = tmp_path / "nosys"
    shutil.copytree(folder, copy)
    (copy / "chat_template.jinja").write_text(NO_SYSTEM, encoding="utf-8")
    model = PlainModel(str(copy))
    stream = model.open("the head")
    stream.hear("Hi")
    assert "[user]the head\n\nHi" in model.tokenizer.decode(model.render("the head", stream.messages))
    assert list(stream.say(SayLimits(tokens=3)))


def test_what_is_missing_is_told_in_one_line(folder, tmp_path):
    import shutil

    def told(where) -> str:
        with pytest.raises(UserError) as caught:
            PlainModel(str(where))
        assert "\n" not in str(caught.value)
        assert str(where) in str(caught.value)
        return str(caught.value)

    assert "no such folder" in told(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "config.json" in told(tmp_path / "empty")
    for gone, part in (("tokenizer.json", "tokenizer"), ("model.safetensors", "model")):
        copy = tmp_path / f"without-{part}"
        shutil.copytree(folder, copy)
        (copy / gone).unlink()
        assert f"the {part} cannot be loaded" in told(copy)
    (copy / "model.safetensors").write_bytes(b"no weights at all")
    assert "the model cannot be loaded" in told(copy)
