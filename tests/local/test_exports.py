"""What transformers' models export is read once, and never believed of another release or from a damaged file."""

import json
import os
import subprocess
import sys

import pytest

from chatdev.llm.local.exports import Memory

FOUND = {"llama": {frozenset({"torch"}): {"modeling_llama": {"A", "B"}}, frozenset(): {"configuration_llama": {"C"}}}}


@pytest.fixture
def models(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def memory(tmp_path, looks):
    def look(folder):
        looks.append(folder)
        return FOUND

    return Memory(look, tmp_path / "kept.json")


def test_it_is_read_once(tmp_path, models):
    looks = []
    (models / "__init__.py").touch()
    os.utime(models, ns=(1, 1))
    for at in (models, models / "__init__.py", str(models)):
        assert memory(tmp_path, looks)(at) == FOUND
    assert looks == [models]
    one = memory(tmp_path, looks)(models)
    one.clear()
    assert memory(tmp_path, looks)(models) == FOUND


def test_another_release_is_read_anew(tmp_path, models):
    looks = []
    for when in (1, 2, 2, 1):
        os.utime(models, ns=(when, when))
        assert memory(tmp_path, looks)(models) == FOUND
    assert len(looks) == 3


@pytest.mark.parametrize(
    "text",
    ["", "x", "{first}\n", "{first}\n[[", "{first}\n{{}}", "{first}\n3", "{first}\n[]", "{first}\n[[1]]", "\udcff"],
)
def test_a_damaged_file_is_not_believed(tmp_path, models, text):
    looks = []
    memory(tmp_path, looks)(models)
    kept = tmp_path / "kept.json"
    first = kept.read_text(encoding="utf-8").partition("\n")[0]
    kept.write_bytes(text.format(first=first).encode("utf-8", "surrogateescape"))
    assert memory(tmp_path, looks)(models) == FOUND
    assert len(looks) == 2


def test_a_place_that_cannot_be_written_costs_nothing_but_time(tmp_path, models):
    kept = tmp_path / "nowhere" / "kept.json"
    assert Memory(lambda at: FOUND, kept)(models) == FOUND
    assert not kept.exists()


def test_it_is_what_transformers_finds_itself():
    program = (
        "import json\n"
        "from pathlib import Path\n"
        "from chatdev.llm.local.lean import import_transformers\n"
        "import_transformers()\n"
        "import transformers\n"
        "from transformers import BertModel\n"
        "from transformers.models import llama\n"
        "memory = transformers.utils.import_utils.create_import_structure_from_path\n"
        "at = Path(transformers.__file__).parent / 'models'\n"
        "memory._inside = True\n"
        "itself = memory(at)\n"
        "memory._inside = False\n"
        "print(json.dumps([memory(at) == itself, len(itself) > 100, BertModel.__name__, llama.LlamaConfig.__name__]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == [True, True, "BertModel", "LlamaConfig"], done.stderr
