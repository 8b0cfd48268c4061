"""Our encoder against `SentenceTransformer.encode`: the same weights, texts, threads and process.

Real skill strings are cut into chunks; each chunk goes through every system before the next chunk, in
rotating order, so that drift of a shared machine hits all alike. The whole is repeated in rounds; a round's
speed is all strings by the seconds they took. To see a CPU without AVX512, set in the environment
ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2.
"""

import csv
import gzip
import os
import random
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from rich.console import Console
from sentence_transformers import SentenceTransformer

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.encoder import TorchEncoder, load_encoder
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.text import parse_mention
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show

BASELINES = {"encode, batch 32 (its default)": 32, "encode, batch 128": 128}
OURS = "skillsim"
SWEEP = (256, 512, 768, 1024, 2048, 4096, 8192)

Encode = Callable[[list[str]], npt.NDArray[Any]]


class Extra(StrEnum):
    """A precision measured beside fp32."""

    none = "none"
    bf16 = "bf16"


def real_texts(path: Path, count: int, seed: int) -> list[str]:
    """A sample of the distinct cleaned strings of a file of `id,skill,skill,...` lines."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        raw = {cell for row in csv.reader(lines) for cell in row[1:]}
    texts = sorted({text for cell in raw if (text := parse_mention(cell).text)})
    return random.Random(seed).sample(texts, min(count, len(texts)))


def race(
    systems: dict[str, Encode], texts: list[str], chunk: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, npt.NDArray[Any]]]:
    """Strings a second of each system in each round, after a warm-up on a chunk; its vectors of `texts`."""
    chunks = [texts[i : i + chunk] for i in range(0, len(texts), chunk)]
    for encode in systems.values():
        encode(chunks[0])
    names = list(systems)
    speeds: dict[str, list[float]] = {name: [] for name in names}
    turn = 0
    for _ in range(rounds):
        seconds = dict.fromkeys(names, 0.0)
        vectors: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
        for part in chunks:
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                started = time.perf_counter()
                vectors[name].append(systems[name](part))
                seconds[name] += time.perf_counter() - started
            turn += 1
        for name in names:
            speeds[name].append(len(texts) / seconds[name])
    return speeds, {name: np.concatenate(of) for name, of in vectors.items()}


def baseline(network: SentenceTransformer, batch: int) -> Encode:
    """`SentenceTransformer.encode` as its manual calls it."""
    return lambda texts: np.asarray(network.encode(texts, batch_size=batch, show_progress_bar=False))


def of_ours(encoder: TorchEncoder, batch_tokens: int | None = None) -> Encode:
    """Our vectors, with another token budget if given."""

    def encode(texts: list[str]) -> npt.NDArray[Any]:
        encoder.batch_tokens = batch_tokens or usual
        return encoder.encode(texts).vectors

    usual = encoder.batch_tokens
    return encode


def cosines(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Row by row."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.einsum("ij,ij->i", a, b) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def median(values: list[float]) -> float:
    return float(np.median(values))


def compared(
    systems: dict[str, Encode], texts: list[str], chunk: int, rounds: int
) -> dict[str, dict[str, float | list[float]]]:
    """Speed of each system, its ratio to the better baseline of each round, cosine to the first one's vectors."""
    speeds, vectors = race(systems, texts, chunk, rounds)
    best = [max(of_round) for of_round in zip(*(speeds[name] for name in BASELINES), strict=True)]
    reference = vectors[next(iter(BASELINES))]
    found: dict[str, dict[str, float | list[float]]] = {}
    for name in systems:
        ratios = [speed / other for speed, other in zip(speeds[name], best, strict=True)]
        cosine = cosines(vectors[name], reference)
        found[name] = {
            "strings/s": median(speeds[name]),
            "strings/s by round": speeds[name],
            "ratio": median(ratios),
            "ratio lowest": min(ratios),
            "ratio highest": max(ratios),
            "cosine min": float(cosine.min()),
            "cosine mean": float(cosine.mean()),
        }
    return found


def main(
    strings: int = typer.Option(10_000, min=10, help="distinct real strings"),
    chunk: int = typer.Option(2_500, min=1, help="strings that go through all systems before the next ones"),
    rounds: int = typer.Option(3, min=1, help="repetitions; the median is reported"),
    seed: int = typer.Option(0, help="of the sample"),
    model: str = typer.Option(BUILTIN, help="as in the config's encoder.model"),
    device: str = typer.Option("cpu", help="cpu or cuda"),
    precision: Extra = typer.Option(Extra.none, help="measure ours in this precision too"),
    sweep: bool = typer.Option(False, help="also ours by token budget of a batch"),
    shared: Path = typer.Option(SHARED, help="folder of the third-party data"),
    out: Path = typer.Option(RESULTS / "encoder.json", help="where the figures go, as JSON"),
) -> None:
    """Strings a second on real skill strings, ours and SentenceTransformer.encode."""
    source = shared / "noisy" / "skill2vec_50K.csv.gz"
    require(source)
    if device.startswith("cuda") and not torch.cuda.is_available():
        typer.echo("skipped: torch sees no GPU")
        raise typer.Exit(0)
    torch.set_num_threads(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1)
    texts = real_texts(source, strings, seed)
    files = resolve_model(model)
    network = SentenceTransformer(str(files.path), device=device, local_files_only=True)
    encoder = load_encoder(files, device)
    systems = {name: baseline(network, batch) for name, batch in BASELINES.items()}
    systems[OURS] = of_ours(encoder)
    if precision is Extra.bf16:
        systems[f"{OURS}, bf16"] = of_ours(load_encoder(resolve_model(model, "bf16"), device))
    facts = {
        "model_id": files.model_id,
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "strings": len(texts),
        "chunk": chunk,
        "rounds": rounds,
        "tokens on average, two special ones included": average_tokens(network, texts),
        "batch_tokens": encoder.batch_tokens,
        **machine(),
    }
    found = compared(systems, texts, chunk, rounds)
    budgets = {f"{budget:,} tokens": of_ours(encoder, budget) for budget in SWEEP} if sweep else {}
    swept = race(budgets, texts, chunk, rounds)[0] if sweep else {}
    report(facts, found, swept)
    save(out, {"facts": facts, "systems": found, "sweep": swept})


def average_tokens(network: SentenceTransformer, texts: list[str]) -> float:
    return round(float(np.mean([len(ids) for ids in network.tokenizer(texts)["input_ids"]])), 2)


def report(facts: dict[str, Any], found: dict[str, dict[str, Any]], swept: dict[str, list[float]]) -> None:
    """Print what was measured, and where."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    columns = ["system", "strings/s", "lowest", "highest", "to better baseline", "min cosine", "mean cosine"]
    rows = [
        [
            name,
            f"{of['strings/s']:,.0f}",
            f"{min(of['strings/s by round']):,.0f}",
            f"{max(of['strings/s by round']):,.0f}",
            f"{of['ratio']:.2f} [{of['ratio lowest']:.2f}, {of['ratio highest']:.2f}]",
            f"{of['cosine min']:.6f}",
            f"{of['cosine mean']:.6f}",
        ]
        for name, of in found.items()
    ]
    show(console, "Encoding real skill strings, median of the rounds", columns, rows)
    if swept:
        by_budget = [[name, f"{median(of):,.0f}", f"{min(of):,.0f}", f"{max(of):,.0f}"] for name, of in swept.items()]
        show(console, f"{OURS} by budget of a batch", ["batch_tokens", *columns[1:4]], by_budget)
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
