import numpy as np
import pytest

from harness.errors import UserError
from lsm.data.stand_ins.brain_visual_cortex import BIN_S, BINS, CHANNELS, GO_S, MotorCortex
from lsm.data.stand_ins.brain_visual_strokes import (
    ALPHABET,
    MANY_WRITERS,
    ONE_WRITER,
    SAMPLES,
    Hand,
    PenPath,
    draw,
    write_letter,
)

STILL = Hand(slant=0, aspect=0, size=0, turn=0, jitter=0, tempo=0)


def model(letter):
    return write_letter(letter, STILL, np.random.default_rng(0))


def test_alphabet_is_whole_and_repeats():
    assert "".join(ALPHABET) == "abcdefghijklmnopqrstuvwxyz"
    for letter in ALPHABET:
        path = write_letter(letter, MANY_WRITERS, np.random.default_rng(3))
        assert path.position.shape == path.velocity.shape == (SAMPLES, 2)
        assert np.isfinite(path.velocity).all()
        again = write_letter(letter, MANY_WRITERS, np.random.default_rng(3))
        assert np.array_equal(path.position, again.position)


def test_model_letters_are_what_they_say():
    stem, o, z = model("l"), model("o"), model("z")
    assert stem.position[0, 1] == pytest.approx(1.9, abs=0.05)
    assert stem.velocity[20:60, 1].max() < 0  # downwards
    assert np.linalg.norm(o.position[0] - o.position[-1]) < 0.1  # closed
    assert z.velocity[10:30, 0].min() > 0 > z.velocity[70:90].max()  # right, then left and down
    assert [x for x in ALPHABET if not model(x).down.all()] == list("fijktxy")


def test_velocity_is_the_change_of_position():
    path = model("s")
    moved = path.velocity.mean(0) * (1 - 1 / SAMPLES)
    assert np.allclose(moved, path.position[-1] - path.position[0], atol=0.02)


def test_pen_slows_down_in_corners():
    path = model("v")
    speed = np.linalg.norm(path.velocity, axis=1)
    corner = path.position[:, 1].argmin()
    assert speed[corner] < 0.6 * speed.max()


def test_unknown_letter_is_said():
    with pytest.raises(UserError, match="'A'"):
        model("A")


def test_drawing_fills_the_box_and_has_soft_edges():
    for letter in ALPHABET:
        image = draw(write_letter(letter, MANY_WRITERS, np.random.default_rng(1)))
        rows, columns = np.nonzero(image)
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert image.dtype == np.uint8
        assert 22 <= extent <= 26
        assert image.max() == 255
        assert np.isin(image, (0, 255)).mean() < 0.98


def test_air_is_not_drawn_and_up_is_up():
    line = np.stack([np.zeros(SAMPLES), np.linspace(1, 0, SAMPLES)], 1)
    line[: SAMPLES // 2, 0] = 0.5  # the upper half to the right
    down = np.arange(SAMPLES) != SAMPLES // 2 - 1
    image = draw(PenPath(line, line, down))
    right, left = image[:12].sum(0), image[16:].sum(0)
    assert right.argmax() > left.argmax()
    half = PenPath(line, line, np.arange(SAMPLES) < SAMPLES // 2)
    columns = np.flatnonzero(draw(half).sum(0))
    assert np.ptp(columns) <= 4  # one straight line, the rest is in the air


def test_tuned_electrodes_fire_with_their_direction():
    cortex = MotorCortex(excitability=0.0)
    velocity = cortex.tuning["pen"][:, :2]
    strength = np.linalg.norm(velocity, axis=1)
    upward = velocity[:, 1] / np.maximum(strength, 1e-9)
    down, up = upward < -0.8, upward > 0.8
    # An l is one stroke downwards: what follows go and reaction time tells the two groups apart.
    rng = np.random.default_rng(0)
    rates = np.mean([cortex.rates(write_letter("l", ONE_WRITER, rng), rng) for _ in range(5)], 0)
    go = round(GO_S / BIN_S)
    change = rates[go + 25 : go + 60].mean(0) - rates[: go - 30].mean(0)
    assert (strength == 0).sum() == pytest.approx(0.3 * CHANNELS, rel=0.3)
    assert change[down].mean() > 5 > -2 > change[up].mean()


def test_counts_are_like_threshold_crossings():
    cortex, rng = MotorCortex(), np.random.default_rng(0)
    trials = np.stack([cortex.record(x, rng) for x in "adgkmsw"])
    assert trials.shape == (7, BINS, CHANNELS)
    assert 15 < trials.mean() / BIN_S < 35  # Hz
    assert trials[:, 80:130].mean() > 1.15 * trials[:, :40].mean()  # more while it writes
    quiet = trials[:, :40].astype(float)
    assert quiet.var(0).mean() == pytest.approx(quiet.mean(0).mean(), rel=0.2)  # Poisson
