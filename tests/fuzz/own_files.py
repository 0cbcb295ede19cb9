"""Files that the package writes and reads again: they give what was written, or one line."""

import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from harness.data.cache import cached_arrays
from harness.readouts.model_file import read_model, write_model
from harness.run.checkpoint import Checkpoint, Progress
from harness.run.chips import ChipConfig
from harness.run.journal import Journal
from harness.run.protocol import DataRecord, Measurement, Run
from harness.run.records import read_results
from tests.fuzz.parser import Parser


def _arrays() -> dict[str, np.ndarray]:
    return {"xy": np.arange(60, dtype=np.uint8), "t": np.linspace(0, 1, 50)}


@cache
def _cached(name: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as root:
        cached_arrays(Path(root), "kept", name, _arrays)
        folder = Path(root) / "cache" / f"kept-{name}"
        return {p.name: p.read_bytes() for p in folder.iterdir()}


def _read_cache(name: str) -> Callable[[Path], dict[str, np.ndarray]]:
    def read(path: Path) -> dict[str, np.ndarray]:
        folder, altered = path.parent, path.read_bytes()
        for file, content in _cached(name).items():
            (folder / file).write_bytes(content)
        path.write_bytes(altered)
        os.utime(path, ns=(time.time_ns(), time.time_ns()))
        return cached_arrays(folder.parent.parent, "kept", name, _arrays)

    return read


def _same_arrays(found: dict[str, np.ndarray]) -> bool:
    wanted = _arrays()
    return found.keys() == wanted.keys() and all((found[n] == wanted[n]).all() for n in wanted)


def _network(seed: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return model, optimiser


def _write_checkpoint(path: Path) -> None:
    Checkpoint(path, {"rate": 0.1}).save(Progress(3, 1.5), *_network(0))


def _read_checkpoint(path: Path) -> tuple[Progress, np.ndarray]:
    model, optimiser = _network(1)
    return Checkpoint(path, {"rate": 0.1}).load(model, optimiser), model.weight.detach().numpy()


def _same_weights(found: tuple[Progress, np.ndarray]) -> bool:
    return found[0].epoch == 3 and bool((found[1] == _network(0)[0].weight.detach().numpy()).all())


MEASURED = Measurement({"accuracy": 12.5}, 10, 5, details={"a": [1, 2]})


def _journal(path: Path) -> Journal:
    run = Run(ChipConfig(), [0], "cpu", path.parent, path.parent, table="toy")
    run.data = SimpleNamespace(record=DataRecord("Toy", "real", 4, 2, "abc"))
    return Journal(path, run)


def _write_journal(path: Path) -> None:
    with _journal(path) as journal:
        for seed in range(3):
            journal.add("row", seed, MEASURED)


def _read_journal(path: Path) -> list[Measurement | None]:
    with _journal(path) as journal:
        return [journal.get("row", seed) for seed in range(3)]


def _write_results(path: Path) -> None:
    row = {
        "row": "LSM", "metric": "accuracy", "unit": "%", "paper": 90.0, "paper_source": "x",
        "paper_data": "Toy", "values": [1.0, 2.0], "mean": 1.5, "std": 0.7,
        "protocol": "validation", "config": {}, "machine": {}, "created": "2025-01-01T00:00:00Z",
        "command": "bash run_toy.sh",
        "data": DataRecord("Toy", "real", 4, 2, "abc")._asdict(),
    }  # fmt: skip
    path.write_text(json.dumps({"table": "toy", "title": "Toy", "rows": [row, row]}, indent=1))


def _results(found: dict) -> bool:
    return all(np.isfinite([*row["values"], row["mean"]]).all() for row in found["rows"])


OWN = (
    *(
        Parser(
            f"array cache, {file}", f"cache/kept-{n}/{file}", _read_cache(str(n)), _same_arrays,
            lambda path, n=n: path.write_bytes(_cached(str(n))[path.name]),
        )
        for n, file in enumerate(("xy.npy", "arrays.json", "SHA256SUMS"))
    ),
    Parser("checkpoint .npz", "a.npz", _read_checkpoint, _same_weights, _write_checkpoint),
    Parser(
        "model .safetensors", "a.safetensors", read_model,
        lambda found: found[0]["classes"] == [1, 2] and _same_arrays(found[1]),
        lambda path: write_model(path, {"classes": [1, 2]}, _arrays()),
    ),
    Parser(
        "journal of a run", "toy.partial.jsonl", _read_journal,
        lambda found: all(one in (None, MEASURED) for one in found), _write_journal,
    ),
    Parser("results JSON", "toy.json", read_results, _results, _write_results),
)  # fmt: skip
