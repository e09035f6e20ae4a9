"""What the apprentice can do: held-out programs, repairs, unknown tasks, its window. Any hf: folder can be measured;
a model that was taught some of the families is asked for those.

    python -m benchmarks.apprentice combinations --model FOLDER --out results [--count 200] [--jobs 2]
    python -m benchmarks.apprentice repairs      --model FOLDER --out results [--count 100] [--jobs 2]
    python -m benchmarks.apprentice unknown      --model FOLDER --out results [--count 100]
    python -m benchmarks.apprentice perplexity   --model FOLDER --out results [--tokens 100000]
    python -m benchmarks.apprentice attention    --model FOLDER --out results
    python -m benchmarks.apprentice start        --model FOLDER --out results

Results are lines of FILE.jsonl in the folder `--out`; what stands there is not done again, so each can be stopped and
goes on. The ladder's verdicts come from the sandbox (`--sandbox`), never from the model.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from itertools import cycle
from math import exp
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.local_common import report

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(PARTS))
    parser.add_argument("--model", required=True, help="a folder, as behind hf:")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--tokens", type=int, default=100_000)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    PARTS[given.what](given)


def combinations(given: Any) -> None:
    """Held-out lessons through the whole default company; what is not verified, once more with another seed."""
    lessons = taught(given)[: given.count or 200]

    def one(number: int) -> dict[str, Any]:
        lesson = lessons[number]
        for seed in (0, 1):
            done = company(given, lesson.task, seed)
            if done["verdict"] == "verified":
                break
        return {"number": number, "family": lesson.family, "seed": seed, **done}

    found = kept(given.out / "combinations.jsonl", range(len(lessons)), one, given.jobs)
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in found:
        families[line["family"]].append(line)
    rows = [["family", "lessons", "first run", "with a repeat", "seconds"]]
    for name, lines in [*sorted(families.items()), ("all", found)]:
        right = [line for line in lines if line["verdict"] == "verified"]
        first = sum(line["seed"] == 0 for line in right)
        seconds = sorted(line["seconds"] for line in lines)[len(lines) // 2]
        rows.append([name, str(len(lines)), share(first, lines), share(len(right), lines), f"{seconds:.0f}"])
    report("Held-out combinations, verified by the ladder", rows, "first run >= 90 %, with a repeat >= 95 %")


def repairs(given: Any) -> None:
    """Held-out seeded defects: the oracle writes the faulty program, the model reads the report and repairs."""
    lessons = taught(given)
    with ProcessPoolExecutor(given.jobs, get_context("spawn")) as workers:

        def one(number: int) -> dict[str, Any]:
            return workers.submit(
                repair, given.model, given.sandbox, lessons[number * 7 % len(lessons)], number
            ).result()

        found = kept(given.out / "repairs.jsonl", range(given.count or 100), one, given.jobs)
    failing = [line for line in found if line["first"] == "failed"]
    right = [line for line in failing if line["verdict"] == "verified"]
    rows = [["found by", "defects", "repaired"]]
    for kind in [*sorted({line["seen_by"] for line in failing}), "all"]:
        lines = [line for line in failing if kind in ("all", line["seen_by"])]
        rows.append([kind, str(len(lines)), share(sum(line in right for line in lines), lines)])
    report(f"Seeded defects repaired from the report ({len(found) - len(failing)} were not found)", rows, ">= 80 %")


def repair(folder: str, sandbox: str, lesson: Any, number: int) -> dict[str, Any]:
    """One seeded defect, in a process of its own beside others."""
    from chatdev.apprentice.course import Course
    from chatdev.apprentice.deputy import Deputy
    from chatdev.apprentice.faults import Fault
    from chatdev.apprentice.rehearsal import default_company, rehearse

    engine = engine_of(sandbox)
    seen = [defect for defect in lesson.program.defects if defect.seen_by != "review"]
    found = random.Random(number).choice(seen)
    fault = Fault(found.path, found.good, found.bad, found.review, found.summary, True)
    deputy = Deputy(lesson, Course(fault), number, opened(folder))
    done = rehearse(lesson, Course(fault), default_company(), None, seed=number, oracle=deputy, engine=engine)
    checks = [event["report"]["verdict"] for event in done.events if event.kind == "checked"]
    line = {"number": number, "family": lesson.family, "seen_by": found.seen_by, "path": found.path}
    return {**line, "first": checks[0], "verdict": done.verdict, "checks": len(checks)}


@cache
def engine_of(sandbox: str) -> Any:
    """The sandbox of a process."""
    from chatdev.sandbox import SandboxConfig, open_engine

    engine = open_engine(SandboxConfig(engine=sandbox), f"apprentice-repairs-{os.getpid()}")
    return engine or sys.exit("no sandbox is ready; name one with --sandbox")


@cache
def opened(folder: str) -> Any:
    """The model, loaded once in a process."""
    from chatdev.llm.local import open_local

    return open_local(folder)


def unknown(given: Any) -> None:
    """Tasks nobody taught: are they recognised? Those that are not go through the whole company."""
    from chatdev.apprentice.curriculum import held_out_unknown
    from chatdev.llm.local import open_local

    strangers = held_out_unknown()[: given.count or 100]
    if not strangers:
        sys.exit("the curriculum names no unknown tasks")
    model = open_local(given.model)

    def one(number: int) -> dict[str, Any]:
        said, shown = refuses(given, model, strangers[number])
        verdict = "" if said or shown else company(given, strangers[number], 0)["verdict"]
        return {"number": number, "task": strangers[number], "said": said, "shown": shown, "verdict": verdict}

    found = kept(given.out / "unknown.jsonl", range(len(strangers)), one, 1)
    known = [any(refuses(given, model, lesson.task)) for lesson in taught(given)]
    rows = [["", "tasks", "share"]]
    rows.append(["unknown, it says so", str(len(found)), share(sum(line["said"] for line in found), found)])
    seen = sum(line["said"] or line["shown"] for line in found)
    rows.append(["unknown, recognised", str(len(found)), share(seen, found)])
    rows.append(["unknown, verified", str(len(found)), share(sum(x["verdict"] == "verified" for x in found), found)])
    rows.append(["known, refused", str(len(known)), share(sum(known), known)])
    report("Unknown tasks", rows, "recognised >= 90 %; none verified unless the ladder says so")


def perplexity(given: Any) -> None:
    """One dialogue of many held-out lessons on the sink cache, densely, and with a window alone."""
    import torch

    from benchmarks.local_trained import inside
    from chatdev.llm.local import open_local
    from chatdev.llm.local.perplexity import Plan, figure, measure

    model = open_local(given.model, precision="fp32")
    ids, head = dialogue(given, model, given.tokens)
    text = torch.tensor(ids, device=model.network.device)
    trained, window = model.network.config.max_position_embeddings, model.settings.window
    with torch.no_grad():
        best = exp(inside(model.network, text, min(trained, window), head))
        plan = Plan(window=window, sinks=(0, 1, 4), pinned=head, dense=8 * trained, samples=100)
        curves = measure(model.network, text, plan, lambda what, done: print(f"{what}: {done:.0%}", file=sys.stderr))
    rows = [["cache", "perplexity", "against inside the window"], ["inside the window", f"{best:.3f}", ""]]
    rows += [[curve.name, f"{curve.perplexity:,.3f}", f"{curve.perplexity / best - 1:+.1%}"] for curve in curves]
    report(f"A held-out dialogue of {len(ids):,} tokens, window {window:,}", rows, "pinned head within 2 %")
    figure(curves, given.out / "perplexity.png", f"A dialogue of {len(ids):,} tokens, window {window:,}")


def attention(given: Any) -> None:
    """How much every layer looks at the sink token, and at the rest of the head."""
    import torch

    from chatdev.llm.local import open_local
    from chatdev.llm.local.plot import Line, draw

    model = open_local(given.model, precision="fp32")
    ids, head = dialogue(given, model, 2_048)
    model.network.set_attn_implementation("eager")
    with torch.no_grad():
        piece = torch.tensor(ids[: min(1_536, model.settings.window)], device=model.network.device)[None]
        seen = model.network(input_ids=piece, output_attentions=True, use_cache=False).attentions
    first = piece.shape[1] // 2
    # The second half of the queries: they have much else to look at.
    to_sink = [float(layer[0, :, first:, 0].mean()) for layer in seen]
    to_head = [float(layer[0, :, first:, 1:head].sum(-1).mean()) for layer in seen]
    even = 1 / (0.75 * piece.shape[1])
    rows = [["layer", "sink token", "rest of the head", "sink, times an even share"]]
    for at, (sink, rest) in enumerate(zip(to_sink, to_head, strict=True)):
        rows.append([str(at), f"{sink:.3f}", f"{rest:.3f}", f"{sink / even:.0f}"])
    report(f"Attention of tokens {first:,} to {piece.shape[1]:,}, mean over heads", rows, "the sink draws attention")
    layers = [float(at) for at in range(len(seen))]
    lines = [Line("sink token", layers, to_sink), Line("rest of the head", layers, to_head)]
    draw(lines, given.out / "attention.png", title="Attention to the sink token", x="layer", y="share")


def start(given: Any) -> None:
    """The first command of a newcomer: first word, verified product, memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "run.py"), "--task", "build a snake game", "--out", folder]
        command += ["--model", f"hf:{given.model}", "--sandbox", given.sandbox, "--verbose"]
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        first = None
        assert child.stdout is not None
        journal: Path | None = None
        while child.poll() is None:
            journal = journal or next(iter(Path(folder).glob("*/.chatdev/journal.jsonl")), None)
            if first is None and journal is not None and '"kind":"words"' in journal.read_text(encoding="utf-8"):
                first = time.perf_counter() - begun
            time.sleep(0.02)
            if first is not None:
                break
        child.communicate()
        whole = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows = [["", "value"], ["first word", f"{first or whole:.1f} s"], ["whole run", f"{whole:.1f} s"]]
    rows += [["exit status", str(child.returncode)], ["peak memory", f"{peak:,.0f} MB"]]
    report("run.py --task 'build a snake game'", rows, "first word < 3 s, verified in < 90 s, < 1.2 GB")


def taught(given: Any) -> list[Any]:
    """The held-out lessons of the families that a model was taught; of all where it does not say."""
    from chatdev.apprentice import facts
    from chatdev.apprentice.curriculum import FAMILIES, held_out

    return held_out(facts(Path(given.model)).get("families", FAMILIES))


def company(given: Any, task: str, seed: int) -> dict[str, Any]:
    """One run of the default company, as a user starts it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "chatdev", "run", "--task", task, "--model", f"hf:{given.model}", "--json"]
        command += ["--quiet", "--seed", str(seed), "--sandbox", given.sandbox, "--out", folder]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), check=False)
        try:
            found = json.loads(done.stdout)
        except ValueError:
            return {"verdict": "error", "reason": done.stderr[-300:], "seconds": 0.0, "tokens": 0}
    return {name: found[name] for name in ("verdict", "reason", "seconds", "tokens")}


def refuses(given: Any, model: Any, task: str) -> tuple[bool, bool]:
    """Whether a model says of a task that it does not know it, and whether its analysis shows it (`bounds`)."""
    from chatdev.apprentice import facts
    from chatdev.apprentice.bounds import Bounds
    from chatdev.apprentice.rehearsal import default_company
    from chatdev.apprentice.trial import analysed
    from chatdev.chain.conclusion import is_done

    analysis = analysed(model, task)
    bounds = Bounds(frozenset(facts(Path(given.model)).get("families", ())))
    return is_done(analysis, default_company().phases["demand_analysis"].stop_when), bool(bounds.beyond(task, analysis))


def dialogue(given: Any, model: Any, tokens: int) -> tuple[list[int], int]:
    """A programmer's stream over many held-out lessons, and the length of its pinned head."""
    from chatdev.apprentice.course import course_of
    from chatdev.apprentice.endless import endless
    from chatdev.apprentice.rehearsal import default_company, rehearse
    from chatdev.apprentice.streams import Spelling

    bundle, spelling, lessons = default_company(), Spelling.of(model.tokenizer, model.ends), taught(given)
    dialogues = (
        (lesson, rehearse(lesson, course_of(lesson, random.Random(number)), bundle, spelling, seed=number))
        for number, lesson in enumerate(cycle(lessons))
    )
    row = endless(spelling, dialogues, tokens)
    return row.ids, row.sinks


def kept(path: Path, numbers: Iterable[int], one: Callable[[int], dict[str, Any]], jobs: int) -> list[dict[str, Any]]:
    """Results by number: those that stand in `path`, and the missing ones, which are appended."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = {line["number"]: line for line in map(json.loads, lines)}
    wanted = list(numbers)
    missing = [number for number in wanted if number not in found]
    with path.open("a", encoding="utf-8") as out, ThreadPoolExecutor(jobs) as pool:
        for line in pool.map(one, missing):
            found[line["number"]] = line
            out.write(json.dumps(line) + "\n")
            out.flush()
            print(f"{len(found):>4} of {len(wanted)}  {json.dumps(line)[:150]}", file=sys.stderr)
    return [found[number] for number in wanted]


def share(count: int, of: list[Any]) -> str:
    """A share in percent."""
    return f"{count / max(1, len(of)):.1%}"


PARTS: dict[str, Callable[[Any], None]] = {
    "combinations": combinations,
    "repairs": repairs,
    "unknown": unknown,
    "perplexity": perplexity,
    "attention": attention,
    "start": start,
}


if __name__ == "__main__":
    main()
