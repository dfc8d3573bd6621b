"""Speed of `ToneBank`, and accuracy of the audio recipes on recordings.

    python benchmarks/sounds.py [--data FOLDER]

Speeds are ratios of minimum times in one process, in turns, on one thread, after a check for equal
values. Accuracies require recordings in the folder audio of FEATX_DATA.

- Notes of four instruments, by the loudest tone and by the recipe which-note, trained on synthetic
  sounds.
- Speech, noise and music by the recipe speech-noise-music, with leave-one-recording-out
  cross-validation.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from threadpoolctl import threadpool_limits

from featx import ReadAudio, ToneBank, load_recipe
from featx.filters.tones import NOTES

RATE = 22_050
#: Start, end (seconds) and name of the notes, by probabilistic YIN, which uses the waveform and not
#: a tone bank. It placed the last E3s of the cello one octave too low.
HEARD = {
    "cello.ogg": (
        "0.05-0.42 G2, 0.37-0.58 D3, 0.53-0.81 B3, 0.74-1.00 A3, 0.93-1.23 B3, 1.25-1.58 B3, "
        "1.58-1.88 D3, 1.86-2.37 G2, 2.46-2.76 B3, 2.69-2.93 A3, 2.86-3.13 B3, 3.18-3.48 B3, "
        "3.46-3.88 D3, 3.88-4.27 G2, 4.23-4.48 E3, 4.48-4.71 C4, 4.64-4.88 B3, 4.81-5.09 C4, "
        "5.11-5.32 E3, 5.41-5.80 E3, 5.76-6.20 G2, 6.36-6.59 C4, 6.52-6.73 B3, 6.66-6.97 C4, "
        "6.99-7.20 E3"
    ),
    "clarinet.ogg": (
        "0.19-0.46 G#5, 0.44-0.77 D#5, 0.72-1.44 G#4, 1.56-1.76 D#5, 1.76-2.02 G#4, 2.11-2.83 "
        "D#4, 2.79-3.09 G#4, 3.11-3.34 D#5, 3.34-3.55 F5, 3.55-3.78 D#5, 3.90-4.18 F4, "
        "4.18-4.44 D#4, 4.37-4.78 A#3, 4.71-5.29 C#4, 5.22-5.48 C4, 5.57-5.80 G#3, 5.74-5.94 "
        "C4, 5.87-6.11 D#4, 6.06-6.29 G#4, 6.32-6.52 D#5, 6.50-6.80 G#5, 6.80-7.15 C6"
    ),
    "trumpet.ogg": (
        "0.05-0.86 D5, 0.79-1.16 C5, 1.11-2.00 G4, 1.93-2.30 C5, 2.25-2.55 D5, 2.48-2.83 D#5, "
        "2.76-3.04 D5, 3.02-3.30 C5, 3.27-3.58 G4, 3.51-3.83 C5, 3.83-4.37 D5, 4.30-4.62 C#5, "
        "4.67-4.90 A#4, 4.85-5.62 F4"
    ),
    "violin.ogg": (
        "0.05-0.26 E5, 0.19-0.44 F#5, 0.37-0.65 E5, 0.58-0.95 D5, 1.09-1.70 A4, 1.63-2.16 E4, "
        "2.09-2.62 A4, 2.55-2.81 B4, 2.83-3.11 D5, 3.04-3.27 E5, 3.30-3.58 E5, 3.51-3.88 D5, "
        "3.83-4.11 B4, 4.04-4.44 A4, 4.37-4.90 B4, 4.83-5.09 A4, 5.02-5.39 G4, 5.32-5.55 A4, "
        "5.48-5.71 B4, 5.74-5.94 D5, 5.87-6.18 E5, 6.20-6.48 E5, 6.41-6.83 D5, 6.76-7.06 B4, "
        "6.99-7.48 A4"
    ),
}


# Speed.


def least(job: Callable[[], object], other: Callable[[], object], turns: int) -> list[float]:
    """Time both in turns and return the minimum seconds of each."""
    seconds: list[list[float]] = [[], []]
    for _ in range(turns):
        for one, taken in zip((job, other), seconds, strict=True):
            started = time.perf_counter()
            one()
            taken.append(time.perf_counter() - started)
    return [min(taken) for taken in seconds]


def loop_of_numpy(signal: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Convolve with one note after the other by `np.convolve`."""
    window, phase = hann(size, sym=False), 2 * np.pi / RATE * np.arange(size)
    found = []
    for note in notes():
        even, odd = (
            np.convolve(signal, (window * wave(NOTES[note] * phase))[::-1], "valid")[::hop]
            for wave in (np.cos, np.sin)
        )
        found.append(2 / window.sum() * np.hypot(even, odd))
    return np.stack(found, axis=1)


def notes() -> list[str]:
    return [name for name, hertz in NOTES.items() if NOTES["C2"] <= hertz <= NOTES["C7"]]


def speed() -> None:
    signal = np.random.default_rng(0).normal(0, 0.3, 4 * RATE).astype(np.float32)
    for hop in (1, 512):
        bank = ToneBank(hop_length=hop)
        ours = bank.fit_transform([signal])[0, 0]
        np.testing.assert_allclose(ours, loop_of_numpy(signal, 4096, hop), rtol=0, atol=1e-5)
        times = least(
            lambda bank=bank: bank.transform([signal]),
            lambda hop=hop: loop_of_numpy(signal, 4096, hop),
            turns=3,
        )
        print(f"61 notes, hop {hop}: {times[1] / times[0]:.0f}x as fast as a loop of np.convolve")
    for size, hop in ((4096, 512), (1024, 256)):
        stft = ShortTimeFFT(hann(size, sym=False), hop, RATE, scale_to="magnitude")
        bank = ToneBank(stft.f[1:-1].tolist(), window_length=size, hop_length=hop)
        _, first = stft.lower_border_end
        start = first * hop - stft.m_num_mid
        ours = bank.fit_transform([signal[start:]])[0, 0]
        theirs = 2 * np.abs(stft.stft(signal))[1:-1, first - stft.p_min :][:, : len(ours)].T
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
        times = least(
            lambda bank=bank, start=start: bank.transform([signal[start:]]),
            lambda stft=stft: np.abs(stft.stft(signal)),
            turns=10,
        )
        print(f"all bins of {size}, hop {hop}: {times[0] / times[1]:.2f}x the time of ShortTimeFFT")


# Accuracy.


def drawn(note: str, rng: np.random.Generator) -> np.ndarray:
    """Synthesize 0.74 seconds of a slightly detuned note with random overtones."""
    hertz = NOTES[note] * 2 ** rng.uniform(-1 / 48, 1 / 48)
    orders = np.arange(1, 16)[np.arange(1, 16) * hertz < RATE / 2, np.newaxis]
    loudness = rng.uniform(0.5, 1) ** orders * rng.uniform(0.2, 1, orders.shape)
    phases = 2 * np.pi * (orders * hertz * np.arange(16_384) / RATE + rng.random(orders.shape))
    sound = (loudness * np.sin(phases)).sum(axis=0)
    return sound / np.abs(sound).max() + rng.normal(0, 0.005, sound.shape)


def which_note(folder: Path) -> None:
    rng = np.random.default_rng(0)
    labels = [note for note in notes() for _ in range(6)]
    recipe = load_recipe("which-note").fit([drawn(note, rng) for note in labels], labels)
    names = [name.split("_")[1] for name in recipe[0].get_feature_names_out()]
    by_tone = by_recipe = total = 0
    for name, heard in HEARD.items():
        (recording,) = ReadAudio(RATE).transform([folder / name])
        spans, truth = zip(*(one.split() for one in heard.split(", ")), strict=True)
        seconds = [tuple(map(float, span.split("-"))) for span in spans]
        pieces = [recording[int(a * RATE) : int(b * RATE)] for a, b in seconds]
        tones = [names[row.argmax()] for row in recipe[0].transform(pieces)]
        predicted = recipe.predict(pieces)
        right = np.equal(tones, truth).sum(), np.equal(predicted, truth).sum()
        print(
            f"{name}: {len(truth)} notes; correct: loudest tone {right[0]}, which-note {right[1]}"
        )
        by_tone, by_recipe, total = by_tone + right[0], by_recipe + right[1], total + len(truth)
    print(f"accuracy: loudest tone {by_tone / total:.1%}, which-note {by_recipe / total:.1%}")


def speech_noise_music(folder: Path) -> None:
    pieces, labels, groups = [], [], []
    length = int(0.6 * RATE)
    for path in sorted(folder.iterdir()):
        label = {".wav": "speech"}.get(path.suffix, "music")
        label = "noise" if path.stem == "Noise" else label
        (recording,) = ReadAudio(RATE).transform([path])
        for index, start in enumerate(range(0, len(recording) - length + 1, length // 2)):
            piece = recording[start : start + length]
            if np.sqrt(np.mean(piece**2)) > 1e-3:
                pieces.append(piece)
                labels.append(label)
                # Noise has only one recording: its parts count as separate recordings.
                groups.append(f"{path.stem} {index // 2}" if label == "noise" else path.stem)
    recipe, truth = load_recipe("speech-noise-music"), np.array(labels)
    vectors = recipe[0].fit_transform(pieces)
    predicted = cross_val_predict(recipe[1:], vectors, truth, groups=groups, cv=LeaveOneGroupOut())
    right = {name: np.mean(predicted[truth == name] == name) for name in np.unique(truth)}
    counts = ", ".join(
        f"{name} {value:.0%} of {sum(truth == name)}" for name, value in right.items()
    )
    balanced = np.mean(list(right.values()))
    print(f"speech-noise-music, pieces of 0.6 s: balanced accuracy {balanced:.1%}; {counts}")
    for name in sorted(set(groups)):
        own = np.array(groups) == name
        if (wrong := np.mean(predicted[own] != truth[own])) > 0.2:
            print(f"    {name}: {wrong:.0%} errors, predicted as {', '.join(set(predicted[own]))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("FEATX_DATA"))
    arguments = parser.parse_args()
    with threadpool_limits(1):
        speed()
    if arguments.data is None:
        raise SystemExit("No recordings. Set FEATX_DATA or pass --data.")
    which_note(Path(arguments.data) / "audio")
    speech_noise_music(Path(arguments.data) / "audio")
