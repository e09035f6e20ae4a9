"""One thread: the models are tiny, and the machine is shared."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from chatdev.llm.base import Sampling, SayLimits
from chatdev.llm.local import LocalModel, Settings
from tests.local.zoo import make

CHATML = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def byte_tokenizer(template: str | None = CHATML):
    """Every byte is a token: ids 0 to 4 are special, 5 to 260 are the bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="<|im_end|>", pad_token="<pad>",
        additional_special_tokens=SPECIAL[3:],
    )  # fmt: skip
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random model on disk; nobody writes into it."""
    path = tmp_path_factory.mktemp("model")
    make("llama", vocab_size=261).save_pretrained(path)
    byte_tokenizer().save_pretrained(path)
    return path


def talker(family="llama", *, template=CHATML, sampling=None, window=128, on_notice=None, **settings):
    """A random model that speaks bytes."""
    network = make(family, vocab_size=261)
    network.generation_config.eos_token_id = 4
    setting = Settings(window=window, block=16, sampling=sampling or Sampling(), **settings)
    return LocalModel("hf:tiny", network, byte_tokenizer(template), setting, on_notice=on_notice)


LIVELY = Sampling(temperature=1.2, top_p=0.95, seed=5)


def reply(stream, tokens=40, stop=()):
    pieces = list(stream.say(SayLimits(tokens=tokens, stop=stop)))
    assert "".join(pieces) == stream.reply.text
    return stream.reply


def talk(stream, turns, tokens=40):
    said = []
    for turn in range(turns):
        stream.hear(f"This is message number {turn}, and it says nothing of importance.")
        said.append(reply(stream, tokens).text)
    return said
