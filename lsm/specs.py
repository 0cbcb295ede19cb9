"""Sizes and constants of reservoirs: those of the LSM paper's published scripts, and your own."""

from dataclasses import dataclass, replace

from harness.errors import UserError
from lsm.spikes import MAX_INPUTS


@dataclass(frozen=True)
class ReservoirSpec:
    """Size and constants of a reservoir.

    Attributes:
        inputs: channels.
        neurons: of the reservoir.
        decay: d, what is left of a membrane after a step.
        threshold: Vth, in membrane units.
        const: scale of the weights, membrane units per weight unit (uS on the chip).
        steps: window length T.
        recurrent_gain: `const` of the recurrent block over that of the input block; 1 in the
            paper. With sqrt(200 / neurons) the recurrent drive of a larger reservoir is that
            of 200 neurons.

    Raises:
        UserError: a value out of range, or not a number.
    """

    inputs: int
    neurons: int
    decay: float
    threshold: float
    const: float
    steps: int
    recurrent_gain: float = 1.0

    def __post_init__(self) -> None:
        if min(self.inputs, self.neurons, self.steps) < 1 or self.inputs > MAX_INPUTS:
            raise UserError(
                f"{self}: inputs (at most {MAX_INPUTS:,}), neurons and steps must be 1 or more"
            )
        finite = max(self.threshold, self.const, self.recurrent_gain) < float("inf")
        in_range = 0 <= self.decay <= 1 and self.threshold >= 0 and self.const > 0
        if not (finite and in_range and self.recurrent_gain >= 0):
            raise UserError(
                f"{self}: decay in 0..1, threshold and recurrent_gain >= 0, const > 0 are needed"
            )

    @property
    def weights(self) -> int:
        """Fixed weights: input and recurrent."""
        return (self.inputs + self.neurons) * self.neurons


NMNIST = ReservoirSpec(256, 200, decay=0.9, threshold=5.0, const=0.07, steps=50)
"""N-MNIST (LSM, LSM-NMNIST/run_lsm_gau_sim.sh)."""
NTIDIGITS = ReservoirSpec(64, 200, decay=0.97, threshold=5.3, const=0.08, steps=129)
"""N-TIDIGITS (LSM, LSM-NTIDIGITS/run_lsm_gau_sim.sh)."""
AUDIO_VISUAL_IMAGE = replace(NMNIST, const=0.3)
"""Images of audio-visual pairs (LSM, LSM-CLIP-ATV/run_zero_shot_sim_pd64.sh)."""
AUDIO_VISUAL_AUDIO = replace(NTIDIGITS, const=0.1)
"""Audio of audio-visual pairs (LSM, LSM-CLIP-ATV/run_zero_shot_sim_pd64.sh)."""
BRAIN_VISUAL_NEURAL = ReservoirSpec(192, 2048, decay=0.95, threshold=0.1, const=0.0005, steps=201)
"""Neural signals (LSM, LSM-CLIP-BTV/run_lsm_clip_one_layer_26class_sup.sh)."""
BRAIN_VISUAL_LETTER = ReservoirSpec(784, 2048, decay=0.95, threshold=0.1, const=0.0005, steps=49)
"""Letters (LSM, LSM-CLIP-BTV/run_lsm_clip_one_layer_26class_sup.sh)."""
