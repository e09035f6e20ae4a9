"""From a folder or a hub id to a `LocalModel`: download, checks, weights, with one-line errors.

Only safetensors are read, and no code of the repository is run. What was downloaded once is used without network.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from chatdev.errors import UserError
from chatdev.llm.base import Sampling

if TYPE_CHECKING:
    from chatdev.llm.local.fast.background import OnPrompt
    from chatdev.llm.local.fast.forward import FastForward
    from chatdev.llm.local.model import LocalModel

FastPrecision = Literal["auto", "fp32", "bf16", "int8", "int4"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8", "int4"]
OnProgress = Callable[[str, float], None]
"""Told what is being done and how much of it is, 0 to 1."""

TINY = 20_000_000
"""Parameters below which one thread serves. Handing half of so short an operation to another gains little, and where
something else runs on that core each waits for it: 8 tokens a second instead of 170 were seen."""
MEDIUM = 20_000_000
"""Parameters up to which a CPU keeps fp32 even where it multiplies bf16 itself: speed does not matter there."""
SMALL = 400_000_000
"""Parameters up to which fp32 is worth its memory on a CPU that knows no bf16."""
DEFAULT_WINDOW = 4096
LEAST_WINDOW = 64
"""As for `stream.window` in a company's file."""
FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def open_local(
    spec: str,
    *,
    sinks: int | Literal["pinned"] = "pinned",
    window: int | None = None,
    block: int | None = None,
    sampling: Sampling | None = None,
    precision: str = "auto",
    lookup: bool = True,
    on_notice: Callable[[str], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Any:
    """Open a local model.

    Args:
        spec: a folder in the format of transformers or a hub id, with or without `hf:` before it.
        sinks: `pinned` keeps the whole head of a stream; a number keeps that many tokens of it.
        window: tokens a stream holds; unless given, what the model's config asks for (`stream_window`), or else what
            it was trained for, at most 4,096.
        block: tokens evicted at once; an eighth of the window unless given.
        sampling: how tokens are chosen; greedy unless given.
        precision: of the weights: `fp32`, `bf16`, `fp16` (on a GPU), `int8` or `int4` (packed, on a CPU), or `auto`:
            bf16 on a GPU; on a CPU int8, and for tiny models the weights as they are.
        lookup: draft tokens from the stream's own text.
        on_notice: told what a person should know, one line each.
        on_progress: told how download and loading go on.

    Raises:
        UserError: no such model, no weights or tokenizer in it, not enough memory, a window that does not fit.
    """
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise UserError(f'unknown precision "{precision}"', fix=f"Known are {known}")
    where = spec.removeprefix("hf:")
    tell = on_progress or (lambda what, done: None)
    folder, revision = _find(where, tell)
    from chatdev.llm.local.lean import import_transformers

    import_transformers()
    import torch

    from chatdev.llm.local.attention import use_packed_sdpa
    from chatdev.llm.local.model import LocalModel, Settings

    config = _config(folder, where)
    tokenizer = _tokenizer(folder, where)
    if on_notice is not None and not (folder / "tokenizer_config.json").is_file():
        on_notice(f"{where} has no tokenizer_config.json: how its texts begin and end is a guess")
    parameters = _parameters(folder, where)
    device, dtype = device_and_dtype(parameters, precision)
    _check_memory(parameters, where, device, dtype)
    tell("loading the weights", 0.0)
    network = _weights(folder, where, dtype).to(device).eval().requires_grad_(False)
    if device.type == "cpu" and parameters < TINY:
        torch.set_num_threads(1)
    use_packed_sdpa(network)
    tell("loading the weights", 1.0)
    window = fitting_window(config, where, window, block, device, dtype)
    settings = Settings(sinks, window, block, sampling or Sampling(), lookup)
    made = LocalModel(f"hf:{where}", network, tokenizer, settings, revision=revision, on_notice=on_notice)
    if device.type == "cuda" or precision != "fp16":
        _quicken(made, precision, tell, f"{revision} {_written(folder)}")
    return made


def _quicken(model: LocalModel, precision: str, tell: OnProgress, identity: str) -> None:
    """Give a model the fast step, where it has one that is proved to compute the same (`fast.check`)."""

    def make(
        check: Callable[[float], None], on_prompt: OnPrompt, on_notice: Callable[[str], None]
    ) -> FastForward | None:
        from chatdev.llm.local.fast.forward import fast_forward

        chosen = cast("FastPrecision", precision)
        return fast_forward(model.network, chosen, "auto", on_notice, check, on_prompt, identity)

    model.quicken(make, lambda done: tell("packing the weights", done))


def fitting_window(config: Any, where: str, window: int | None, block: int | None, device: Any, dtype: Any) -> int:
    """The window to use, checked against the model's trained length and the memory that is free.

    Raises:
        UserError: with the numbers and the largest window that fits.
    """
    from chatdev.llm.local.cache import trained_length

    text = config.get_text_config(decoder=True)
    trained = trained_length(text) or 1 << 30
    # A stream needs positions for its window and one block more.
    most = trained - block if block else trained * 8 // 9
    if most < LEAST_WINDOW:
        raise UserError(
            f"its config.json says that it was trained for {trained:,} positions, which leaves no window",
            where=where,
            fix="Name another model",
        )
    if window is not None and window > most:
        raise UserError(
            f"a window of {window:,} and a block more is beyond what the model was trained for ({trained:,} positions)",
            where=where,
            fix=f"The largest that fits is {most:,}",
        )
    # What a model was fine-tuned for on streams is told by its own config: no key of transformers means this.
    asked = getattr(text, "stream_window", None)
    wanted = window or min(asked if isinstance(asked, int) and asked >= LEAST_WINDOW else DEFAULT_WINDOW, most)
    each = bytes_per_token(text, dtype.itemsize)
    free = free_memory(device)
    if free is not None and wanted * 1.25 * each > free:
        largest = int(free / 1.25 / each)
        if window is not None or largest < 256:
            raise UserError(
                f"a window of {wanted:,} takes {wanted * 1.25 * each / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
                where=where,
                fix=f"The largest that fits is {largest:,}",
            )
        wanted = largest
    return wanted


def bytes_per_token(text: Any, itemsize: int) -> int:
    """Memory of keys and values of one token in all layers that keep every token."""
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    kinds = getattr(text, "layer_types", None) or ["full_attention"] * text.num_hidden_layers
    full = sum(kind in ("full_attention", "sliding_attention") for kind in kinds)
    return int(2 * full * heads * dim * itemsize)


def free_memory(device: Any) -> int | None:
    """Bytes that can still be had on a device; None where it cannot be known."""
    import torch

    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


def _find(where: str, tell: OnProgress) -> tuple[Path, str]:
    folder = Path(where).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError("there is no config.json in it", where=where, fix="Name the folder that has it")
        if not list(folder.glob("*.safetensors")):
            fix = "Convert the model to safetensors, or name one that has them"
            raise UserError("there are no weights (*.safetensors) in it", where=where, fix=fix)
        return folder, _identity(folder)
    if where.startswith((".", "~", "/")) or "\\" in where or where.count("/") > 1:
        raise UserError("there is no such folder", where=where, fix="Name a folder with config.json, or a hub id")
    found = _download(where, tell)
    return found, found.name


def _download(where: str, tell: OnProgress) -> Path:
    from huggingface_hub import errors, snapshot_download
    from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]

    class Told(tqdm):  # type: ignore[misc, type-arg, unused-ignore]
        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self.total:
                tell(f"downloading {where}", min(1.0, self.n / self.total))
            return shown

    try:
        return Path(snapshot_download(where, allow_patterns=FILES, local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        pass
    try:
        return Path(snapshot_download(where, allow_patterns=FILES, tqdm_class=Told))
    except errors.GatedRepoError as error:
        fix = f"Ask for access at https://huggingface.co/{where}, then run: hf auth login"
        raise UserError("this repository is gated", where=where, fix=fix) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        fix = "Check the spelling, or name a folder"
        raise UserError("there is no such model on the hub", where=where, fix=fix) from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        fix = "Check the network, or name a folder"
        raise UserError(f"it is not cached and cannot be downloaded ({reason})", where=where, fix=fix) from error


def _identity(folder: Path) -> str:
    """What tells two sets of weights apart without reading them whole."""
    digest = blake2b((folder / "config.json").read_bytes(), digest_size=16)
    for file in sorted(folder.glob("*.safetensors")):
        size = file.stat().st_size
        with file.open("rb") as stream:
            digest.update(f"{file.name}:{size}".encode() + stream.read(65_536))
            stream.seek(max(0, size - 65_536))
            digest.update(stream.read())
    return digest.hexdigest()


def _written(folder: Path) -> list[int]:
    """When the weights were written: `_identity` does not look into their middle."""
    return [file.stat().st_mtime_ns for file in sorted(folder.glob("*.safetensors"))]


def _config(folder: Path, where: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder)
    except Exception as error:  # each kind of model has its own ways of refusing a number
        raise UserError(
            f"its config.json cannot be used ({_line(error)})", where=where, fix="Name another model"
        ) from error


def _tokenizer(folder: Path, where: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:
        fix = "Put tokenizer.json and tokenizer_config.json beside the weights"
        raise UserError(f"its tokenizer cannot be loaded ({_line(error)})", where=where, fix=fix) from error


def _weights(folder: Path, where: str, dtype: Any) -> Any:
    from transformers import AutoModelForCausalLM

    from chatdev.llm.local.lean import stood_in

    fix = "Download the model again, or name another one"
    try:
        with stood_in():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, output_loading_info=True
            )
    except Exception as error:
        raise UserError(f"its weights cannot be loaded ({_line(error)})", where=where, fix=fix) from error
    network, found = loaded
    missing = sorted(found["missing_keys"])
    if missing:  # transformers draws them by chance and only warns
        raise UserError(f"{len(missing)} of its weights are missing ({missing[0]} …)", where=where, fix=fix)
    return network


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _parameters(folder: Path, where: str) -> int:
    """Number of weights, from the headers of the files."""
    from math import prod

    from safetensors import SafetensorError, safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="pt") as file:
                count += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        except SafetensorError as error:
            fix = "Download the model again"
            raise UserError(f"{path.name} is damaged ({_line(error)})", where=where, fix=fix) from error
    return count


def device_and_dtype(parameters: int, precision: str) -> tuple[Any, Any]:
    """Where a model of so many parameters is held here, and in which type.

    Raises:
        UserError: that precision is for another device.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in named:
        return device, named[precision]
    if device.type == "cuda" and precision != "auto":
        raise UserError(f"{precision} weights are packed for a CPU, and this is a GPU", fix="Use --precision bf16")
    if device.type == "cuda":
        return device, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return device, torch.float32 if parameters <= (MEDIUM if multiplies_bf16() else SMALL) else torch.bfloat16


def multiplies_bf16() -> bool:
    """Whether this processor has instructions for bf16: prompts run at twice the speed then, in half the memory."""
    import torch

    # Newer releases of torch only; older ones stay with fp32.
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16", "sve_bf16"))


def _check_memory(parameters: int, where: str, device: Any, dtype: Any) -> None:
    needed, free = parameters * dtype.itemsize, free_memory(device)
    if free is not None and needed > free:
        raise UserError(
            f"its weights take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free",
            where=where,
            fix="Name a smaller model, or --precision bf16",
        )
