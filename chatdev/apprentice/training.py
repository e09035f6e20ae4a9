"""The trainer: streams in, a fine-tuned network out. Resumable, seeded, and it says how far it is.

It trains the apprentice from nothing, and `distill` trains any other local model with it. Loss is taken on the agents'
own replies only. Everything lies in one folder: `state.pt` to go on from, `log.jsonl`, `loss.png`, and `model/` as an
ordinary Hugging Face folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from chatdev.apprentice.ahead import Ahead
from chatdev.apprentice.attention import Sight, sight_of, use_streamed
from chatdev.apprentice.batches import CHUNK, Batch, Material, chunk, every
from chatdev.apprentice.mean import Mean
from chatdev.apprentice.optimizers import optimizers_of
from chatdev.apprentice.outcome import curve, export
from chatdev.apprentice.priming import primed_parts
from chatdev.apprentice.recipe import Recipe
from chatdev.apprentice.shards import Rows
from chatdev.apprentice.streams import SETTING, VALUE, Spelling
from chatdev.errors import UserError
from chatdev.llm.local.load import multiplies_bf16

LOG_EVERY = 10
"""Steps between two lines of the log."""
Tell = Callable[[str], None]


@dataclass
class Place:
    """Where a training stands."""

    step: int = 0
    tokens: int = 0
    chunk: int = 0
    """Number of the chunk at work."""
    taken: int = 0
    """Batches of it that are done."""
    measured: int = 0
    """`tokens` at the last measurement."""
    seconds: float = 0.0


class Training:
    """One training, in one folder.

    Args:
        network: a Hugging Face causal language model in fp32.
        material: what it learns; `held`: what it never learns.
        extra: measures more beside the losses (free generation, say); its result goes into the log.

    Raises:
        UnsupportedModelError: the model's keys cannot be moved, so it cannot stream.
        UserError: the folder holds another training.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        spelling: Spelling,
        material: Material,
        held: Rows,
        recipe: Recipe,
        folder: Path,
        *,
        tell: Tell,
        extra: Callable[[Any], dict[str, float]] | None = None,
        workers: int = 0,
    ) -> None:
        self.network, self.tokenizer, self.spelling = network, tokenizer, spelling
        self.material, self.held, self.recipe, self.folder = material, held, recipe, folder
        self.tell, self.extra = tell, extra
        folder.mkdir(parents=True, exist_ok=True)
        self.place, state = Place(), self._saved()
        if state is not None:
            self.place = Place(**state["place"])
        self.ahead = Ahead(self._chunk, self.place.chunk, workers)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cuda":
            # With cuDNN's attention, torch's first choice on an H200, losses were nan within a hundred steps.
            torch.backends.cuda.enable_cudnn_sdp(False)
        network.to(self.device)
        self.rope = use_streamed(network)
        self.optimizers = optimizers_of(network, recipe.optimizer, recipe.lr, recipe.decay)
        self.mean = Mean(network)
        if state is not None:
            self._restore(state)
        self.primed = [(part, part.view().clone()) for part in (primed_parts(network) if recipe.kept else [])]

    @property
    def progress(self) -> float:
        """0 to 1."""
        return min(1.0, self.place.tokens / self.recipe.tokens)

    def run(self, minutes: float | None = None, save_every: float = 10.0) -> bool:
        """Train until the recipe's tokens are through, or for some minutes; True when it is done.

        Ctrl-C saves and ends it.
        """
        begun = saved = logged = time.monotonic()
        counted, sums = self.place.tokens, _Sums()
        try:
            for batch in self._batches():
                self._step(batch, sums)
                now = time.monotonic()
                self.place.seconds += now - logged if self.place.step % LOG_EVERY == 0 else 0.0
                if self.place.step % LOG_EVERY == 0:
                    self._log(sums, (self.place.tokens - counted) / (now - logged))
                    logged, counted, sums = time.monotonic(), self.place.tokens, _Sums()
                if self.place.tokens - self.place.measured >= self.recipe.measure or self.progress >= 1:
                    self.measure()
                    logged, counted = time.monotonic(), self.place.tokens
                if now - saved > save_every * 60:
                    self.save()
                    saved = now
                if self.progress >= 1 or (minutes is not None and now - begun > minutes * 60):
                    break
        finally:
            self.ahead.close()
            self.save()
        return self.progress >= 1

    def measure(self) -> dict[str, float]:
        """Loss and slot accuracy on the held-out set, into the log."""
        self.place.measured = self.place.tokens
        if not len(self.held):
            return {}
        with self.mean.of(self.network):
            found = self._measured()
        self._write({"held_out": True, **asdict(self.place), **{k: round(v, 5) for k, v in found.items()}})
        self.tell("held out: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
        return found

    def _measured(self) -> dict[str, float]:
        self.network.eval()
        found = measured(self.network, self.held, self.recipe, self._sight, self.device, self.tokenizer.pad_token_id)
        if self.extra is not None and self.device.type == "cpu":
            # Step by step a GPU writes more slowly than a CPU does.
            self.network.set_attn_implementation("sdpa")
            found |= self.extra(self.network)
            use_streamed(self.network)
        self.network.train()
        return found

    def save(self) -> None:
        """Write the state, the curve and the model."""
        state = {
            "recipe": asdict(self.recipe),
            "place": asdict(self.place),
            "network": {name: weight.cpu() for name, weight in self.network.state_dict().items()},
            "optimizers": [one.state_dict() for one in self.optimizers],
            "mean": {name: weight.cpu() for name, weight in self.mean.weights.items()},
        }
        part = self.folder / "state.part"
        torch.save(state, part)
        part.replace(self.folder / "state.pt")
        with self.mean.of(self.network):
            export(self.network, self.tokenizer, self.folder / "model")
        curve(self.folder)

    def _saved(self) -> dict[str, Any] | None:
        """The state to go on from."""
        path = self.folder / "state.pt"
        if not path.is_file():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            other = {k: v for k, v in state["recipe"].items() if v != asdict(self.recipe).get(k)}
            raise UserError(
                f"this folder holds a training with another recipe ({other})",
                where=str(self.folder),
                fix="Give the same options, or another folder",
            )
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.mean.restore(state["mean"])
        for one, saved in zip(self.optimizers, state["optimizers"], strict=True):
            one.load_state_dict(saved)
        self.tell(f"going on at step {self.place.step:,}, {self.place.tokens:,} tokens")

    def _batches(self) -> Iterator[Batch]:
        place = self.place
        for made in self.ahead:
            yield from made[place.taken :]
            place.chunk, place.taken = place.chunk + 1, 0

    def _chunk(self, number: int) -> list[Batch]:
        recipe = self.recipe
        progress = number * CHUNK * recipe.batch / recipe.tokens
        pad = self.tokenizer.pad_token_id or 0
        return chunk(self.material, self.spelling, recipe.mix(), recipe.seed, number, progress, pad)

    def _sight(self, sinks: Tensor) -> Sight:
        return Sight(self.rope, self.recipe.window, self.recipe.window // 8, sinks)

    def _step(self, batch: Batch, sums: _Sums) -> None:
        share = self.recipe.rate(self.progress)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share
        moved = batch.to(self.device)
        losses, kinds, weights = token_losses(self.network, moved, self._sight(batch.sinks), self.device)
        loss = (losses * weights).sum() / weights.sum().clamp_min(1)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if self.primed and self.progress < self.recipe.kept:
            torch._foreach_copy_([part.view() for part, _ in self.primed], [values for _, values in self.primed])
        self.place.step += 1
        self.mean.add(self.network, self.place.step)
        sums.add(losses.detach(), kinds)
        self.place.taken += 1
        self.place.tokens += batch.tokens

    def _log(self, sums: _Sums, pace: float) -> None:
        line = {"step": self.place.step, "tokens": self.place.tokens, **sums.means(), "pace": round(pace)}
        self._write({**line, "seconds": round(self.place.seconds, 1)})
        left = (self.recipe.tokens - self.place.tokens) / max(1.0, pace)
        self.tell(
            f"{self.progress:6.1%}  step {self.place.step:,}  {self.place.tokens / 1e6:.2f} M tokens  "
            f"loss {line['loss']:.3f}  values {line['values']:.3f}  {pace:,.0f} tok/s  {left / 60:,.0f} min left"
        )

    def _write(self, line: dict[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


class _Sums:
    """Losses of some steps, kept on the device so that no step waits."""

    def __init__(self) -> None:
        self.own: list[Tensor] = []
        self.values: list[Tensor] = []

    def add(self, losses: Tensor, kinds: Tensor) -> None:
        is_value = kinds >= VALUE
        self.own.append(torch.stack([(losses * ~is_value).sum(), (~is_value).sum()]))
        self.values.append(torch.stack([(losses * is_value).sum(), is_value.sum()]))

    def means(self) -> dict[str, float]:
        own, values = (torch.stack(found).sum(0).tolist() for found in (self.own, self.values))
        return {"loss": round(own[0] / max(1, own[1]), 5), "values": round(values[0] / max(1, values[1]), 5)}


def foretold(network: Any, batch: Batch, sight: Sight, device: torch.device) -> Tensor:
    """Logits for every token that is learned, [learned, vocabulary]."""
    with _mixed(device), sight_of(sight):
        hidden = network.get_decoder()(input_ids=batch.ids, use_cache=False).last_hidden_state
        logits: Tensor = network.get_output_embeddings()(hidden.flatten(0, 1)[batch.before])
    return logits.float()


def token_losses(network: Any, batch: Batch, sight: Sight, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Losses, kinds and weights of all tokens that are to be learned, one row of numbers each."""
    learned = batch.before + 1
    ids, kinds, weights = (one.flatten()[learned] for one in (batch.ids, batch.kinds, batch.weights))
    return cross_entropy(foretold(network, batch, sight, device), ids, reduction="none"), kinds, weights


def _mixed(device: torch.device) -> torch.autocast:
    """bf16 products where the processor has them: one that has not works them out ten times slower than fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda" or multiplies_bf16())


@torch.no_grad()
def measured(
    network: Any, held: Rows, recipe: Recipe, sight: Callable[[Tensor], Sight], device: torch.device, pad: int | None
) -> dict[str, float]:
    """Loss on held-out replies; share of values that are right when everything before them is right."""
    total = torch.zeros(2)
    slots, right_slots = 0, 0
    for batch in every(held, recipe.mix(), pad or 0):
        moved = batch.to(device)
        logits = foretold(network, moved, sight(batch.sinks), device)
        following = moved.ids.flatten()[moved.before + 1]
        losses = cross_entropy(logits, following, reduction="none")
        total += torch.tensor([float(losses.sum()), losses.numel()])
        right = torch.zeros_like(moved.ids, dtype=torch.bool).flatten()
        right[moved.before + 1] = logits.argmax(-1) == following
        found = _slots(batch.kinds, right.view_as(moved.ids).cpu())
        slots, right_slots = slots + found[0], right_slots + found[1]
    return {"loss": float(total[0] / total[1].clamp_min(1)), "slots_forced": right_slots / max(1, slots)}


def _slots(kinds: Tensor, right: Tensor) -> tuple[int, int]:
    """(values in settings blocks, those of which every token is right)."""
    count = good = 0
    for row, hits in zip(kinds.tolist(), right.tolist(), strict=True):
        inside, fine = False, True
        for kind, hit in zip([*row, 0], [*hits, False], strict=True):
            if kind == SETTING:
                inside, fine = True, (fine or not inside) and hit
            elif inside:
                count, good, inside, fine = count + 1, good + fine, False, True
    return count, good
