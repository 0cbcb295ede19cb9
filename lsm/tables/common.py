"""What the tables of the LSM paper share: constants, and the reservoirs made from them."""

from dataclasses import dataclass

from harness.data.datasets import KINDS
from harness.run.chips import ChipConfig, make_chip
from harness.run.config import constant
from lsm.reservoir import Reservoir, ReservoirSpec, from_chip, gaussian
from lsm.zero_shot.projections import ProjectionConfig
from rram import LSM_40NM
from rram.crossbar import ReadConfig

SOFTWARE, CHIP = "software (Gaussian)", "chip (RRAM)"


@dataclass(frozen=True)
class LsmConfig(ChipConfig):
    """Constants that every table of the LSM paper has."""

    sparsity: float = constant(
        0.0, "fraction of cells left unbroken (LSM: dense weights)", low=0, high=1
    )
    data_kind: str | None = constant(
        None,
        "insist on real, simulated-sensor or synthetic data; none: the best at hand",
        choices=KINDS,
    )


@dataclass(frozen=True)
class ZeroShotConfig(LsmConfig):
    """Constants that both zero-shot tables have; edit them here or with --set name=value."""

    validation_fraction: float = constant(
        1 / 6, "part of the training items (of their makers, where known) to choose on",
        low=0.001, high=0.9,
    )  # fmt: skip
    selection_splits: int = constant(
        3, "choices of further classes left out, on which epochs are chosen", low=1, smoke=2
    )
    temperature: float = constant(1.0, "of the contrastive loss (LSM, code)", low=1e-4)
    learning_rate: float = constant(1e-3, "of Adam (LSM, code)", low=1e-9, high=100)
    batch_size: int = constant(8, "pairs a step (LSM, code)", low=2)
    epochs: int = constant(100, "of the projections (LSM, code)", low=1, smoke=4)
    layers: int = constant(1, "linear layers of a projection (LSM, code: OneFC)", low=1, high=3)
    activation: str = constant(
        "gelu", "after each of them: gelu, relu, sigmoid, tanh or none (LSM, code)"
    )
    spike_counts: bool = constant(
        False, "features are spikes a window, not a step (not visible in the published code)"
    )
    rival_windows: int = constant(5, "time windows of the rows of event counts", low=1, high=49)
    prototype_rate: float = constant(
        1e-3, "of Adam in the prototype rows (LSM, code)", low=1e-9, high=100
    )
    prototype_epochs: int = constant(100, "of the prototype rows (LSM, code)", low=1, smoke=2)
    prototype_batch: int = constant(
        1568, "pairs a step of the prototype rows (LSM, code: all of them)", low=2
    )
    prototype_temperature: float = constant(
        1.0, "what squared distances are divided by (LSM, code: none)", low=1e-4
    )
    trained_rate: float = constant(1e-3, "of Adam in the SRNN rows (LSM, code)", low=1e-9, high=100)
    trained_epochs: int = constant(100, "of the SRNN rows (LSM, code)", low=1, smoke=1)
    trained_width: int = constant(64, "of SRNN-CLIP's common space (LSM, code)", low=1)
    trained_normalised: bool = constant(
        False, "SRNN-CLIP's loss takes embeddings of length 1 (not visible in the published code)"
    )
    trained_recurrent_gain: float = constant(
        0.1, "first recurrent over first input weights of the SRNN rows (not visible; at 1, "
        "gradients through a hundred steps overflow)", low=0,
    )  # fmt: skip
    largest_gradient: float | None = constant(
        None, "norm that SRNN gradients are cut to; none: not cut (LSM, code)", low=1e-9
    )


def make_reservoir(
    config: LsmConfig, seed: int, kind: str, spec: ReservoirSpec, prefix: str = ""
) -> Reservoir:
    """Reservoir number `seed`: Gaussian, or on the chip with read noise.

    Args:
        config: of the chip.
        seed: of the weights.
        kind: `SOFTWARE` or `CHIP`.
        spec: of the reservoir.
        prefix: of its blocks' names, where one chip holds several reservoirs.
    """
    if kind == SOFTWARE:
        return gaussian(spec, seed)
    c = config
    # The paper's const is for its own cells, all broken: other chips are scaled to their spread.
    other = bool(c.sparsity) or (c.programming_voltage_v or c.conductance_map) is not None
    chip = make_chip(c, LSM_40NM, seed)
    reading = ReadConfig(c.read_noise, c.noise_on, c.noise_per)
    return from_chip(spec, chip, reading, match_std=other, prefix=prefix)


def clip_config(config: ZeroShotConfig, width: int, **changes: object) -> ProjectionConfig:
    """LSM-CLIP's projections and training, from the run's constants.

    Args:
        config: the constants.
        width: of the common space.
        changes: fields of `ProjectionConfig` that differ.
    """
    c = config
    usual = {
        "layers": c.layers, "activation": c.activation, "temperature": c.temperature,
        "learning_rate": c.learning_rate, "batch_size": c.batch_size, "epochs": c.epochs,
    }  # fmt: skip
    return ProjectionConfig(width, **(usual | changes))


def prototype_config(config: ZeroShotConfig, width: int, **changes: object) -> ProjectionConfig:
    """The prototype rows' plain linear projections and training, from the run's constants.

    Args:
        config: the constants.
        width: of the common space.
        changes: fields of `ProjectionConfig` that differ.
    """
    c = config
    usual = {
        "activation": "none", "temperature": c.prototype_temperature,
        "learning_rate": c.prototype_rate, "batch_size": c.prototype_batch,
        "epochs": c.prototype_epochs,
    }  # fmt: skip
    return ProjectionConfig(width, **(usual | changes))


def srnn_config(config: ZeroShotConfig) -> ProjectionConfig:
    """SRNN-CLIP's common space and training, from the run's constants."""
    c = config
    return ProjectionConfig(
        c.trained_width, activation=c.activation, targets=c.targets,
        temperature=c.trained_temperature, normalise=c.trained_normalised,
        learning_rate=c.trained_rate, batch_size=c.trained_batch, epochs=c.trained_epochs,
    )  # fmt: skip
