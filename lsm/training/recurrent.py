"""The paper's trained baselines: spiking and plain recurrent networks, trained through time.

    SRNN-ANN   spiking recurrent layer, linear readout of its firing rates
    SRNN-SNN   spiking recurrent layer, spiking readout
    RNN        h[t] = tanh(W_in x[t] + W_rec h[t-1]), linear readout of the mean of h

Losses, optimisers and constants are those of the published scripts (`train_srnn_ann.py`,
`train_srnn_snn.py`, `train_rnn.py`). The modules of the models were never published: the cell of
the RNN, what the readouts see and the law of the first weights are not visible.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from harness.errors import UserError
from lsm.neurons import LIFParameters
from lsm.spikes import SpikeTrains
from lsm.training.through_time import spiking_layer, weighted_input

AT_ONCE = 512  # samples whose classes are predicted together
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}  # torch's other defaults


@dataclass(frozen=True)
class TrainedSpec:
    """A recurrent network and how it is trained.

    Attributes:
        readout: "linear" (SRNN-ANN), "spiking" (SRNN-SNN) or "rnn".
        inputs: channels.
        neurons: of the hidden layer.
        classes: of the data.
        steps: T.
        decay: d of the hidden neurons (spiking networks), what a step leaves of a membrane.
        threshold: Vth of the hidden neurons, membrane units.
        const: s.d. of the first weights, input and recurrent, Gaussian; 0: uniform within
            +-1/sqrt(rows), torch's own start.
        loss: "mse" on one-hot targets or "cross-entropy".
        optimizer: "adam" or "adamw".
        learning_rate: of the optimiser.
        batch_size: samples a step.
        epochs: passes over the training data.
        output_decay: d of the output neurons (spiking readout).
        output_threshold: Vth of the output neurons (spiking readout).
        drop_last: whether an epoch leaves out the last batch where it is not full.
    """

    readout: str
    inputs: int
    neurons: int
    classes: int
    steps: int
    decay: float = 0.9
    threshold: float = 0.3
    const: float = 0.0
    loss: str = "cross-entropy"
    optimizer: str = "adam"
    learning_rate: float = 1e-4
    batch_size: int = 100
    epochs: int = 100
    output_decay: float = 0.9
    output_threshold: float = 0.3
    drop_last: bool = False

    def __post_init__(self) -> None:
        allowed = {
            "readout": ("linear", "spiking", "rnn"),
            "loss": ("mse", "cross-entropy"),
            "optimizer": tuple(OPTIMIZERS),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise UserError(f"{name} is {getattr(self, name)!r}: one of {', '.join(values)}")
        sizes = (self.inputs, self.neurons, self.classes, self.steps, self.batch_size, self.epochs)
        if min(sizes) < 1 or not self.learning_rate > 0:
            raise UserError(f"{self}: sizes and epochs must be 1 or more, learning_rate above 0")
        decays = (self.decay, self.output_decay)
        if not all(0 <= d <= 1 for d in decays) or min(self.threshold, self.output_threshold) < 0:
            raise UserError(f"{self}: decays must be in 0..1, thresholds 0 or more")


class RecurrentNetwork(nn.Module):
    """A recurrent network that is trained as a whole; state is born and dropped in a call.

    Args:
        spec: what to build.
        seed: of the first weights, drawn on the CPU.
    """

    def __init__(self, spec: TrainedSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        generator = torch.Generator().manual_seed(seed)
        self.input = _weights(spec.inputs, spec.neurons, spec.const, generator)
        self.recurrent = _weights(spec.neurons, spec.neurons, spec.const, generator)
        self.output = _weights(spec.neurons, spec.classes, 0.0, generator)
        self.bias = nn.Parameter(torch.zeros(spec.classes))

    def forward(self, trains: SpikeTrains) -> torch.Tensor:
        """Class scores (B, classes) of spike trains with `inputs` channels."""
        spec = self.spec
        if trains.inputs != spec.inputs:
            raise UserError(f"spikes of {trains.inputs} channels, expected {spec.inputs}")
        drives = weighted_input(trains, self.input)
        if spec.readout == "rnn":
            return self._plain(drives.contiguous()) @ self.output + self.bias
        spikes = spiking_layer(drives, self.recurrent, LIFParameters(spec.decay, spec.threshold))
        if spec.readout == "linear":
            return spikes.mean(0) @ self.output + self.bias
        final = LIFParameters(spec.output_decay, spec.output_threshold)
        return spiking_layer(spikes @ self.output, None, final).mean(0)

    def _plain(self, drives: torch.Tensor) -> torch.Tensor:
        """Mean over time of h[t] = tanh(drive[t] + W_rec h[t-1]): (T, B, N) -> (B, N)."""
        hidden = torch.zeros_like(drives[0])
        total = torch.zeros_like(hidden)
        for drive in drives:
            hidden = torch.tanh(drive + hidden @ self.recurrent)
            total = total + hidden
        return total / len(drives)

    @property
    def trained_weights(self) -> int:
        """Weights that are trained, without biases."""
        return self.input.numel() + self.recurrent.numel() + self.output.numel()


def make_optimizer(network: RecurrentNetwork) -> torch.optim.Optimizer:
    """The optimiser that the network's spec names, for all of its weights."""
    spec = network.spec
    return OPTIMIZERS[spec.optimizer](network.parameters(), spec.learning_rate)


def train_epochs(
    network: RecurrentNetwork,
    optimizer: torch.optim.Optimizer,
    trains: SpikeTrains,
    labels: np.ndarray,
    *,
    seed: int,
    finished: int = 0,
) -> Iterator[int]:
    """Train a network as published, epoch by epoch, and yield the number of finished epochs.

    Every epoch draws its order of samples from a random stream of its own, so that a training
    that goes on from a checkpoint gives the same digits as one that was not cut.

    Args:
        network: to train, with its recipe in `network.spec`.
        optimizer: of `make_optimizer`.
        trains: training spike trains of B samples.
        labels: (B,) int64 classes.
        seed: of the orders of samples.
        finished: epochs that network and optimiser have behind them.
    """
    spec, device = network.spec, network.bias.device
    for epoch in range(finished, spec.epochs):
        network.train()
        order = np.random.default_rng((seed, epoch)).permutation(len(trains))
        for rows in _batches(order, spec.batch_size, drop_last=spec.drop_last):
            optimizer.zero_grad()
            targets = torch.from_numpy(labels[rows]).to(device)
            loss_of(network(trains.take(rows)), targets, spec.loss).backward()
            optimizer.step()
        network.eval()
        yield epoch + 1


@torch.no_grad()
def predict(network: RecurrentNetwork, trains: SpikeTrains) -> np.ndarray:
    """Most likely class of every sample, (B,)."""
    parts = _batches(np.arange(len(trains)), AT_ONCE)
    scores = [network(trains.take(rows)).argmax(1).cpu() for rows in parts]
    return torch.cat([*scores, torch.zeros(0, dtype=torch.int64)]).numpy()


def loss_of(scores: torch.Tensor, labels: torch.Tensor, loss: str) -> torch.Tensor:
    """Mean loss of a batch.

    "mse": mean over samples and classes of (score - target)^2, targets 1 for the label, else 0.
    "cross-entropy": mean over samples of -log softmax(scores) at the label.

    Args:
        scores: (B, classes).
        labels: (B,) int64.
        loss: "mse" or "cross-entropy".
    """
    if loss == "mse":
        targets = nn.functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        return nn.functional.mse_loss(scores, targets)
    return nn.functional.cross_entropy(scores, labels)


def _batches(rows: np.ndarray, size: int, *, drop_last: bool = False) -> list[np.ndarray]:
    # Fewer samples than a batch are one batch all the same, or nothing would be trained.
    stop = len(rows) - len(rows) % size if drop_last and len(rows) >= size else len(rows)
    return [rows[start : min(start + size, stop)] for start in range(0, stop, size)]


def _weights(rows: int, columns: int, const: float, generator: torch.Generator) -> nn.Parameter:
    if const:
        return nn.Parameter(const * torch.randn(rows, columns, generator=generator))
    bound = rows**-0.5
    return nn.Parameter(torch.rand(rows, columns, generator=generator) * 2 * bound - bound)
