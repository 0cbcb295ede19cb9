"""What a training run leaves on disk after every epoch, and goes on from after a kill."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from harness.data.files import parsing, read_file, replacing
from harness.errors import UserError
from harness.scale import distributed

RESTART = "--restart trains anew, or put a whole file there"
ABOUT = "about"  # the member that is not an array of the model or the optimiser


class Progress(NamedTuple):
    """Where a training run stands.

    Attributes:
        epoch: epochs finished.
        seconds: spent on them.
        history: scores after each of them, as `History.as_dict` gives them.
    """

    epoch: int = 0
    seconds: float = 0.0
    history: dict[str, list[dict[str, float]]] | None = None


class Checkpoint:
    """One `.npz` file of plain arrays and one line of JSON; nothing is pickled.

    Args:
        path: the file.
        key: what the training depends on (constants, data, seed), but for the number of epochs:
            a run of 10 epochs can be continued to 300.
    """

    def __init__(self, path: Path, key: dict[str, Any]) -> None:
        self.path = path
        self.key = json.loads(json.dumps(key, sort_keys=True))

    def save(self, progress: Progress, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Replace the file, whole or not at all.

        Raises:
            UserError: the disk is full or the folder is not writable, or the training diverged.
        """
        if not distributed.is_first():  # it trains the same, and writes nothing
            return
        arrays = _arrays(model, optimiser)
        weights = [array for name, array in arrays.items() if name.startswith("model/")]
        check_converging(weights, progress.epoch)  # Adam's squares may overflow: a step of 0
        about = {"key": self.key, "progress": progress._asdict(), "digest": _digest(arrays)}
        with (
            replacing(self.path, "finished epochs are kept") as temporary,
            temporary.open("wb") as file,
        ):
            np.savez(file, **arrays, **{ABOUT: np.array(json.dumps(about))})

    def load(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
        """Put model and optimiser where the file says; without a file, all stays as it is.

        Raises:
            UserError: the file is of another configuration, cut short, or was altered.
        """
        if not self.path.exists():
            return Progress()
        arrays, about = self._read()
        if about["key"] != self.key:
            odd = "; ".join(_differences(about["key"], self.key))
            raise UserError(
                f"{self.path} is of another configuration ({odd}): "
                "--restart trains anew, or move the file away"
            )
        with parsing(self.path, "checkpoint of this network", RESTART):
            _restore(model, optimiser, arrays)
        return Progress(**about["progress"])

    def remove(self) -> None:
        """The run ended, or is to start anew."""
        if distributed.is_first():
            self.path.unlink(missing_ok=True)

    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        content = read_file(self.path)
        with parsing(self.path, "whole checkpoint", RESTART):
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays = dict(stored)
            about = json.loads(str(arrays.pop(ABOUT)))
            if about["digest"] != _digest(arrays):
                raise ValueError("its arrays were altered")
            Progress(**about["progress"])
        return arrays, about


def check_converging(arrays: Iterable[np.ndarray], epoch: int) -> None:
    """Refuse to go on with a training whose numbers are finite no more.

    Args:
        arrays: weights.
        epoch: that ended with them.

    Raises:
        UserError: it diverged.
    """
    if not all(np.isfinite(array).all() for array in arrays):
        raise UserError(
            f"training diverged in epoch {epoch}, its weights are no finite numbers:"
            " choose a lower learning rate (--set)"
        )


def _differences(there: dict[str, Any], here: dict[str, Any], path: str = "") -> Iterator[str]:
    """What differs between two keys: "spec.learning_rate is 0.1 there, 0.2 here"."""
    for name in sorted({*there, *here}):
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{path}{name}.")
        elif old != new:
            yield f"{path}{name} is {old} there, {new} here"


def _arrays(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    arrays = {f"model/{name}": value for name, value in model.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        arrays |= {f"optimiser/{number}/{name}": value for name, value in state.items()}
    return {name: torch.as_tensor(value).cpu().numpy() for name, value in arrays.items()}


def _restore(
    model: nn.Module, optimiser: torch.optim.Optimizer, arrays: dict[str, np.ndarray]
) -> None:
    own = {n.removeprefix("model/"): x for n, x in arrays.items() if n.startswith("model/")}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in own.items()})
    groups = optimiser.state_dict()["param_groups"]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in arrays.items():
        if name.startswith("optimiser/"):
            _, number, part = name.split("/")
            state.setdefault(int(number), {})[part] = torch.from_numpy(value)
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _digest(arrays: dict[str, np.ndarray]) -> str:
    whole = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()
