"""What is not imported before the first word, and that nobody misses it."""

import json
import subprocess
import sys

from chatdev.llm.local.lean import STAND_INS, stood_in

HEAVY = ("torch._dynamo", "torch.distributed.tensor", "torch.fx.experimental.symbolic_shapes", "sympy")


def told(program, folder):
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_local_model_speaks_before_anything_heavy_is_imported(folder):
    program = (
        "import json, sys\n"
        "from chatdev.llm.base import SayLimits\n"
        "from chatdev.llm.select import open_model\n"
        "stream = open_model(f'hf:{sys.argv[1]}', env={}).open('You are a tester.')\n"
        "stream.hear('Say something.')\n"
        "list(stream.say(SayLimits(tokens=5)))\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    loaded = told(program, folder)
    assert "transformers.models.llama.modeling_llama" in loaded
    assert not set(HEAVY) & set(loaded)


def test_garbage_is_looked_for_again_and_not_in_what_was_imported(folder):
    program = (
        "import gc, json, sys, weakref\n"
        "from chatdev.llm.local import open_local\n"
        "class Node: pass\n"
        "model = open_local(sys.argv[1])\n"
        "later = Node(); later.own = later; collected = weakref.ref(later)\n"
        "del later; gc.collect()\n"
        "held = gc.get_freeze_count()\n"
        "open_local(sys.argv[1])\n"
        "print(json.dumps([gc.isenabled(), held > 100_000, collected() is None, gc.get_freeze_count() <= held]))\n"
    )
    assert told(program, folder) == [True, True, True, True]


def test_a_model_computes_the_same_and_torch_stays_whole(folder):
    program = (
        "import json, sys, torch\n"
        "ready = torch.distributed.is_available()\n"
        "disable, draws = torch.compiler.disable, torch.nn.Embedding.reset_parameters\n"
        "from chatdev.llm.local import open_local\n"
        "model = open_local(sys.argv[1])\n"
        "import sympy, torch._dynamo, transformers\n"
        "from transformers import AutoModelForCausalLM, BertConfig\n"
        "usual = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()\n"
        "ids = torch.arange(5, 60)[None]\n"
        "mask = torch.ones_like(ids).tril()[:, :, None].expand(1, 55, 55).tril().bool()[:, None]\n"
        "print(json.dumps({\n"
        "    'same': torch.equal(usual(ids).logits, model.network(ids).logits),\n"
        "    'masked': bool(torch.isfinite(usual(ids, attention_mask=mask).logits).all()),\n"
        "    'compiler': hasattr(torch._dynamo, 'config') and hasattr(sympy, 'Integer'),\n"
        "    'put back': torch.compiler.disable is disable and torch.nn.Embedding.reset_parameters is draws,\n"
        "    'distributed': torch.distributed.is_available() == ready,\n"
        "    'others': BertConfig().model_type,\n"
        "    'compiled': torch.compile(lambda x: x + 1, backend='eager')(torch.ones(2)).tolist(),\n"
        "}))\n"
    )
    found = told(program, folder)
    assert found == {
        "same": True,
        "masked": True,
        "compiler": True,
        "put back": True,
        "distributed": True,
        "others": "bert",
        "compiled": [2.0, 2.0],
    }


def test_who_asks_for_more_gets_the_real_module():
    program = (
        "import json, sys, torch\n"
        "from chatdev.llm.local.lean import stood_in\n"
        "with stood_in():\n"
        "    from sympy import Integer\n"
        "    import sympy.core\n"
        "    from torch._dynamo import config\n"
        "    import torch._dynamo.eval_frame\n"
        "    from torch.fx.experimental.symbolic_shapes import ShapeEnv\n"
        "print(json.dumps([int(Integer(3)), hasattr(config, 'cache_size_limit'), ShapeEnv.__module__]))\n"
    )
    assert told(program, "") == [3, True, "torch.fx.experimental.symbolic_shapes"]


def test_what_is_loaded_already_is_left_alone():
    import torch._dynamo

    with stood_in():
        assert sys.modules["torch._dynamo"] is torch._dynamo
    assert all(hasattr(sys.modules[name], "__file__") for name in STAND_INS if name in sys.modules)
