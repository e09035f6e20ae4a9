"""A tokenizer made from a few rehearsals, once for all tests; and one thread, as the machine is shared."""

import pytest
import torch

from chatdev.apprentice import tokenizer as tokenizers
from chatdev.apprentice.streams import Spelling
from tests.apprentice import tiny


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    lessons = [tiny.lesson("counter", seed) for seed in range(6)]
    return tokenizers.train(tokenizers.dialogues(lessons), 1200)


@pytest.fixture
def spelling(tokenizer):
    return Spelling.of(tokenizer)
