"""The models of the brain-visual table, from its constants."""

from dataclasses import replace
from typing import TYPE_CHECKING

from lsm.data.stand_ins.brain_visual_strokes import SIDE
from lsm.encode import StateFeatures
from lsm.reservoir import ReservoirSpec
from lsm.tables.common import CHIP, clip_config, prototype_config, srnn_config
from lsm.tables.zero_shot_models import (
    EVENTS,
    Alignment,
    Clip,
    FrozenFeatures,
    Prototypes,
    Specs,
    Srnn,
)
from lsm.tables.zero_shot_rows import Models
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.projections import ProjectionConfig
from lsm.zero_shot.retrieval import cosine_with_query_expansion

if TYPE_CHECKING:
    from lsm.tables.brain_visual import BrainVisualConfig

ELECTRODES, PIXELS = 192, SIDE * SIDE
NEURAL_STEPS, LETTER_STEPS = 201, 49
PAPER_NEURONS = 2048
COMPONENTS = (60, 300)  # of each modality; among these the held-out letters choose


def specs(config: "BrainVisualConfig") -> Specs:
    """Both reservoirs; of another size than the paper's, they keep its recurrent drive."""
    c, gain = config, (PAPER_NEURONS / config.neurons) ** 0.5
    rest = {"decay": c.decay, "threshold": c.threshold, "recurrent_gain": gain}
    return (
        ReservoirSpec(ELECTRODES, c.neurons, const=c.neural_const, steps=NEURAL_STEPS, **rest),
        ReservoirSpec(PIXELS, c.neurons, const=c.letter_const, steps=LETTER_STEPS, **rest),
    )


def lsm_clip(config: "BrainVisualConfig", source: str = CHIP, **changes: object) -> list[Clip]:
    """LSM-CLIP as published: labels in the loss, embeddings of length 1, a learned scale.

    Args:
        config: the constants.
        source: of the features; EVENTS has no random layer.
        changes: fields of `ProjectionConfig` that differ.
    """
    c = config
    usual = {"targets": c.targets, "normalise": True, "learned_scale": c.learned_scale}
    recipe = clip_config(c, c.width, **(usual | changes))
    if source != EVENTS:
        return [Clip(FrozenFeatures(source, specs(c)), recipe, copies=c.enlarge_train)]
    reads = (StateFeatures(c.rival_windows),) * 2
    features = FrozenFeatures(source, specs(c), reads, standardised=True)
    return [Clip(features, recipe, copies=c.enlarge_train)]


def low_temperature(config: "BrainVisualConfig") -> list[Clip]:
    """The lines at temperature 0.001, batch 128."""
    return lsm_clip(config, temperature=config.low_temperature, batch_size=config.small_batch)


def small_batch(config: "BrainVisualConfig") -> list[Clip]:
    """The line at temperature 0.5, batch 128."""
    return lsm_clip(config, batch_size=config.small_batch)


def event_clip(config: "BrainVisualConfig") -> list[Clip]:
    """The rival without random layers: LSM-CLIP's projections of event counts in time windows."""
    return lsm_clip(config, EVENTS)


def short_clip(config: "BrainVisualConfig") -> list[Clip]:
    """LSM-CLIP of fewer steps, for the rows over many choices of letters."""
    c = config
    (model,) = lsm_clip(
        c, batch_size=c.choice_batch, learning_rate=c.choice_rate, epochs=c.choice_epochs
    )
    return [replace(model, copies=c.copies)]


def component_clip(source: str) -> Models:
    """LSM-CLIP on principal components of windowed features.

    When a letter's strokes are made says which letter it is: the first modality is read in time
    windows. Projections of some tens of principal components learn from few trials what those of
    thousands of features cannot. Labels in the loss, embeddings of length 1; compared by
    `cosine_with_query_expansion`, with what the unlabelled pools themselves tell.
    """

    def models(config: "BrainVisualConfig") -> list[Clip]:
        c = config
        recipe = ProjectionConfig(
            c.width, targets="labels", temperature=0.1, learned_scale=True, normalise=True,
            learning_rate=1e-3, batch_size=128, epochs=c.component_epochs,
        )  # fmt: skip
        reads = StateFeatures(c.component_windows), StateFeatures()
        return [
            Clip(
                FrozenFeatures(source, specs(c), reads, components=count), recipe,
                cosine_with_query_expansion, copies=c.copies,
            )
            for count in COMPONENTS
        ]  # fmt: skip

    return models


def alignment(config: "BrainVisualConfig") -> list[Alignment]:
    """Closed-form alignment of the chip's rates."""
    return [Alignment(FrozenFeatures(CHIP, specs(config)), copies=config.copies)]


def lsm_prototypes(config: "BrainVisualConfig") -> list[Prototypes]:
    """LSM-Prototype with SRNN-Prototype's recipe: ours, no script has it."""
    c = config
    return [Prototypes(FrozenFeatures(CHIP, specs(c)), prototype_config(c, c.prototype_width))]


def trained_specs(
    config: "BrainVisualConfig", consts: tuple[float, float], thresholds: tuple[float, float]
) -> tuple[TrainedSpec, TrainedSpec]:
    """Both SRNN encoders; `Srnn` sets the width of their readouts.

    Args:
        config: the constants.
        consts: weight scales.
        thresholds: of the membranes.
    """
    n, sizes = config.trained_neurons, ((ELECTRODES, NEURAL_STEPS), (PIXELS, LETTER_STEPS))
    return tuple(
        TrainedSpec(
            "linear", inputs, n, 1, steps, decay=config.decay, threshold=threshold, const=const
        )
        for (inputs, steps), const, threshold in zip(sizes, consts, thresholds, strict=True)
    )


def srnn_clip(config: "BrainVisualConfig") -> list[Srnn]:
    """SRNN-CLIP as published."""
    c = config
    consts = c.trained_neural_const, c.trained_letter_const
    both = trained_specs(c, consts, (c.threshold, c.threshold))
    return [Srnn(both, srnn_config(c), copies=c.enlarge_train)]


def srnn_prototypes(config: "BrainVisualConfig") -> list[Srnn]:
    """SRNN-Prototype as published."""
    c = config
    thresholds = c.trained_neural_threshold, c.trained_letter_threshold
    both = trained_specs(c, (c.trained_prototype_const,) * 2, thresholds)
    recipe = prototype_config(
        c, c.prototype_width, learning_rate=c.trained_rate, epochs=c.trained_epochs,
    )  # fmt: skip
    return [Srnn(both, recipe, prototypes=True, copies=c.enlarge_train)]
