"""A tokenizer made from a few rehearsals, and rows, once for all tests; and one thread, as the machine is shared."""

import pytest
import torch

from chatdev.apprentice import shards
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


@pytest.fixture(scope="session")
def rows(tokenizer, tmp_path_factory):
    """A few lessons, as the shards of a training hold them."""
    folder = tmp_path_factory.mktemp("school")
    tokenizers.save(tokenizer, folder / "tokenizer")
    making = shards.Making(str(folder / "tokenizer"), 1, "tests.apprentice.tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shards.PER_SHARD, "dialogues", 4)
        (path,) = shards.prepare(making, 1, folder / "shards", 1, lambda what, done: None)
        assert shards.prepare(making, 1, folder / "shards", 1, lambda what, done: pytest.fail("made twice")) == [path]
    return shards.Rows.load(path)
