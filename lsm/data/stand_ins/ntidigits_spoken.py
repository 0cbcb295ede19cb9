"""Spoken digits as sound: WAV files of real speakers, or a simple formant synthesiser."""

import io
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from harness.data.files import parsing, read_file
from harness.errors import UserError

RATE_HZ = 8000
SHORTEST_S = 0.05
LARGEST_BYTES = 1 << 20  # a minute of sound
NAME = re.compile(r"([0-9])_(.+)_([0-9]{1,9})")
DIGITS = "z123456789o"  # as N-TIDIGITS names them: z for zero, o for oh


class Utterance(NamedTuple):
    """One spoken digit: who, which (one of `DIGITS`), which take, and the sound (samples,)."""

    speaker: str
    digit: str
    take: int
    sound: np.ndarray


def read_wav(path: Path) -> np.ndarray:
    """Sound of a mono 16-bit WAV file of 8 kHz, (samples,) float64 in -1..1.

    Raises:
        UserError: another format, shorter than 50 ms, or silent.
    """
    content = read_file(path, LARGEST_BYTES)
    with parsing(path, "WAV file"), wave.open(io.BytesIO(content), "rb") as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        expected = file.getnframes() * channels * width
        frames = file.readframes(file.getnframes())
    if (rate, channels, width) != (RATE_HZ, 1, 2):
        raise UserError(
            f"{path}: {rate} Hz, {channels} channel(s), {8 * width} bits;"
            f" expected {RATE_HZ} Hz, mono, 16 bits: convert it"
        )
    if len(frames) != expected or 8 + int.from_bytes(content[4:8], "little") > len(content):
        raise UserError(f"{path}: shorter than its header says, it was cut; get the file again")
    sound = np.frombuffer(frames, "<i2") / 32768
    if len(sound) < SHORTEST_S * RATE_HZ:
        raise UserError(f"{path}: {1000 * len(sound) / RATE_HZ:.0f} ms long, too short for a digit")
    if not sound.any():
        raise UserError(f"{path}: silence")
    return sound


def recorded(folder: Path) -> Iterator[Utterance]:
    """Utterances of the Free Spoken Digit Dataset: `<digit>_<speaker>_<n>.wav`, by name.

    Raises:
        UserError: no such files, or one is wrong.
    """
    files = sorted(folder.glob("*.wav"))
    if not files:
        raise UserError(f"{folder}: no files <digit>_<speaker>_<n>.wav in it")
    for path in files:
        name = NAME.fullmatch(path.stem)
        if not name:
            raise UserError(f"{path}: not named <digit>_<speaker>_<n>.wav")
        digit, speaker, take = name.groups()
        yield Utterance(speaker, DIGITS[int(digit)], int(take), read_wav(path))


# Sounds of English digits: name -> first three formants in Hz, loudness, share of noise.
_SOUNDS = {
    "i": (300, 2250, 2950, 1.0, 0.0), "I": (400, 1950, 2550, 1.0, 0.0),
    "E": (560, 1800, 2500, 1.0, 0.0), "e": (460, 2050, 2600, 1.0, 0.0),
    "V": (640, 1200, 2400, 1.0, 0.0), "a": (720, 1150, 2450, 1.0, 0.0),
    "o": (480, 900, 2400, 1.0, 0.0), "u": (330, 1050, 2250, 1.0, 0.0),
    "U": (340, 800, 2300, 1.0, 0.0), "r": (370, 1200, 1600, 0.7, 0.0),
    "w": (310, 650, 2250, 0.6, 0.0), "n": (280, 1500, 2500, 0.35, 0.0),
    "v": (280, 1300, 2300, 0.25, 0.4), "z": (280, 1700, 3300, 0.3, 0.6),
    "s": (1800, 3100, 3700, 0.3, 1.0), "f": (1200, 2300, 3400, 0.12, 1.0),
    "T": (1400, 2600, 3500, 0.1, 1.0), "t": (1600, 2900, 3600, 0.2, 1.0),
    "k": (800, 1800, 2600, 0.2, 1.0), "-": (500, 1500, 2500, 0.0, 1.0),
}  # fmt: skip
_WORDS = dict(
    zip(
        DIGITS,
        (
            "z80 i90 r60 o140", "w70 V150 n100", "t40 u200", "T80 r50 i180", "f80 o120 r90",
            "f80 a120 I60 v80", "s110 I90 -50 k40 s100", "s110 E80 v50 E60 n80",
            "e130 I60 -50 t60", "n80 a120 I80 n90", "o170 U110",
        ),
        strict=True,
    )
)  # fmt: skip


def synthesised(speakers: int, takes: int, seed: int = 0) -> Iterator[Utterance]:
    """Every digit, spoken `takes` times by each of so many speakers.

    Speakers differ in pitch, length of the vocal tract, pace and accent; takes differ a little
    in all of them, and in noise.
    """
    for number in range(speakers):
        voice = np.random.default_rng([seed, number])
        pitch_hz, tract, pace = (
            voice.uniform(90, 230),
            voice.uniform(0.87, 1.15),
            voice.uniform(0.8, 1.25),
        )
        accent = {name: voice.normal(1, 0.04, 3) for name in _SOUNDS}
        for digit in DIGITS:
            for take in range(takes):
                lengths = pace * voice.normal(1, 0.1)
                tones = pitch_hz * voice.normal(1, 0.06), tract * voice.normal(1, 0.015)
                sound = _speak(_WORDS[digit], *tones, lengths, accent, voice)
                yield Utterance(f"synth{number:02d}", digit, take, sound)


def _speak(
    word: str,
    pitch_hz: float,
    tract: float,
    pace: float,
    accent: dict[str, np.ndarray],
    voice: np.random.Generator,
) -> np.ndarray:
    names, knots, at = [], [], 0.0
    for part in word.split():
        length = float(part[1:]) / 1000 * pace * voice.normal(1, 0.12)
        names.append(part[0])
        knots.append(at + length / 2)
        at += max(length, 0.02)
    t = np.arange(int((at + 0.06) * RATE_HZ)) / RATE_HZ
    table = np.array([(*(np.array(_SOUNDS[n][:3]) * accent[n]), *_SOUNDS[n][3:]) for n in names])
    f1, f2, f3, loudness, noise = (np.interp(t, knots, column) for column in table.T)
    pitch = pitch_hz * (1.1 - 0.25 * t / at)
    phase = np.cumsum(pitch) / RATE_HZ
    pulses = np.diff(np.floor(phase), prepend=0) * np.sqrt(RATE_HZ / pitch_hz)
    source = (1 - noise) * lfilter([1], [1, -0.9], pulses) + noise * voice.normal(0, 1, len(t))
    envelope = np.interp(t, [0, 0.02, at, at + 0.05], [0, 1, 1, 0])
    for formant in (f1, f2, f3):
        source = _resonate(source, np.minimum(formant * tract, 3800))
    sound = source * loudness * envelope
    return sound + voice.normal(0, 1e-3 * np.abs(sound).max(), len(sound))


def _resonate(source: np.ndarray, formant_hz: np.ndarray) -> np.ndarray:
    # A second-order resonance whose frequency is constant within pieces of 10 ms.
    out, state, piece = np.empty_like(source), np.zeros(2), RATE_HZ // 100
    for start in range(0, len(source), piece):
        centre = formant_hz[start]
        radius = np.exp(-np.pi * (60 + 0.05 * centre) / RATE_HZ)
        a = [1, -2 * radius * np.cos(2 * np.pi * centre / RATE_HZ), radius**2]
        span = slice(start, start + piece)
        out[span], state = lfilter([1 - radius], a, source[span], zi=state)
    return out
