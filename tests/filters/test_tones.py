import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from featx import PatternMatch, ReadAudio, ToneBank
from featx.filters import tones as module
from featx.filters.tones import NOTES, harmonic_sum

RATE = 22_050
seeds = st.integers(0, 2**32 - 1)


def random_signal(length, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, length).astype(np.float32)


def literal(signal, frequencies, rate, size, hop):
    """Convolve with each tone, as cosine and sine, by numpy, and keep every so many."""
    n = np.arange(size)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / size)
    found = []
    for frequency in frequencies:
        phase = 2 * np.pi * frequency * n / rate
        # numpy flips kernels.
        even, odd = (
            np.convolve(signal.astype(np.float64), (window * wave(phase))[::-1], "valid")
            for wave in (np.cos, np.sin)
        )
        found.append(2 / window.sum() * np.hypot(even, odd)[::hop])
    return np.stack(found, axis=1)


# The formula, by every way of computing it.


@given(
    seeds,
    st.integers(0, 800),
    st.integers(2, 300),
    st.integers(1, 400),
    st.lists(st.floats(20, 4000), min_size=1, max_size=4),
)
def test_equals_numpys_convolution(seed, more, size, hop, frequencies):
    signal = random_signal(size + more, seed)
    bank = ToneBank(frequencies, rate=8001, window_length=size, hop_length=hop)
    (maps,) = bank.fit_transform([signal])
    expected = literal(signal, frequencies, 8001, size, hop)
    assert maps.shape == (1, 1 + more // hop, len(frequencies))
    np.testing.assert_allclose(maps[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("hop", [1, 7, 64, 1000, 5000])
@pytest.mark.parametrize("way", ["_by_products", "_by_sliding"])
def test_all_ways_give_the_same(way, hop):
    signal, frequencies = random_signal(9000), (100.0, 440.0, 3000.5)
    found = getattr(module, way)(signal, frequencies, RATE, 512, hop)
    np.testing.assert_allclose(found, literal(signal, frequencies, RATE, 512, hop), atol=1e-5)


@pytest.mark.parametrize(("size", "hop"), [(1024, 256), (512, 100), (300, 37)])
def test_equals_the_short_time_fourier_transform(size, hop):
    signal = random_signal(6000)
    stft = ShortTimeFFT(hann(size, sym=False), hop, RATE, scale_to="magnitude")
    inside = slice(1, (size + 1) // 2)  # neither a constant nor half the rate
    bank = ToneBank(stft.f[inside].tolist(), rate=RATE, window_length=size, hop_length=hop)
    # SciPy's first window that lies inside the signal.
    _, first = stft.lower_border_end
    (maps,) = bank.fit_transform([signal[first * hop - stft.m_num_mid :]])
    expected = 2 * np.abs(stft.stft(signal))[inside, first - stft.p_min :][:, : maps.shape[1]]
    assert maps.shape[1] == expected.shape[1] > 10
    np.testing.assert_allclose(maps[0].T, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("phase", [0, 1, 2.5])
def test_a_sine_gives_its_amplitude_whatever_its_phase(phase):
    signal = 0.7 * np.sin(2 * np.pi * 440 * np.arange(30_000) / RATE + phase)
    (maps,) = ToneBank(["A3", "A4", "A5"]).fit_transform([signal])
    np.testing.assert_allclose(maps[0, :, 1], 0.7, rtol=0, atol=1e-3)
    assert maps[0, :, [0, 2]].max() < 1e-3


@pytest.mark.parametrize("padding", ["zero", "reflect", "edge"])
def test_padding_is_that_of_convolve(padding):
    signal = random_signal(700)
    bank = ToneBank([440], window_length=128, hop_length=50, padding=padding)
    mode = {"zero": "constant"}.get(padding, padding)
    padded = np.pad(signal, (63, 64), mode=mode)
    (maps,) = bank.fit_transform([signal])
    np.testing.assert_allclose(maps[0], literal(padded, [440], RATE, 128, 50), rtol=0, atol=1e-5)


def test_channels_follow_each_other():
    stereo = np.stack([random_signal(5000, 0), random_signal(5000, 1)], axis=1)
    bank = ToneBank(["A4", "C5"])
    (maps,) = bank.fit_transform([stereo])
    left, right = bank.transform([stereo[:, 0], stereo[:, 1]])
    np.testing.assert_array_equal(maps, np.concatenate([left, right], axis=2))
    names = ["left_A4", "left_C5", "right_A4", "right_C5"]
    assert bank.fit([stereo]).get_feature_names_out().tolist() == names


# Notes.


def test_notes_are_those_of_a_piano():
    assert len(NOTES) == 88
    assert list(NOTES)[:3] == ["A0", "A#0", "B0"]
    assert list(NOTES)[-1] == "C8"
    assert NOTES["A4"] == 440
    assert NOTES["C4"] == pytest.approx(261.6256, abs=1e-4)
    assert NOTES["C8"] == pytest.approx(4186.009, abs=1e-3)


def test_names_of_frequencies():
    bank = ToneBank([440, 261.6256]).fit([random_signal(5000)])
    assert bank.get_feature_names_out().tolist() == ["signal_440Hz", "signal_261.626Hz"]
    bank = ToneBank(lowest="B3", highest="C#4").fit([random_signal(5000)])
    assert bank.get_feature_names_out().tolist() == ["signal_B3", "signal_C4", "signal_C#4"]


def test_harmonics_are_weighted_sums():
    signal = random_signal(6000)
    (maps,) = ToneBank([1000, 500, 4000], harmonics=3).fit_transform([signal])
    single = literal(signal, [500, 1000, 1500, 2000, 3000, 4000, 8000], RATE, 4096, 1024)
    d = 0.84
    expected = np.stack(
        [
            single[:, 1] + d * single[:, 3] + d**2 * single[:, 4],
            single[:, 0] + d * single[:, 1] + d**2 * single[:, 2],
            # The third, of 12000 Hz, is not in the signal.
            single[:, 5] + d * single[:, 6],
        ],
        axis=1,
    )
    np.testing.assert_allclose(maps[0], expected, rtol=0, atol=1e-5)


def test_octaves_share_harmonics():
    partials, weights = harmonic_sum((NOTES["A3"], NOTES["A4"]), 4, 11_025)
    assert partials == (220, 440, 660, 880, 1320, 1760)
    np.testing.assert_allclose(weights[:, 1], [0, 1, 0, 0.84, 0.84**2, 0.84**3], rtol=1e-6)


@pytest.mark.parametrize("note", ["C2", "F#3", "A4", "C6", "C7"])
def test_a_note_is_heard_though_its_overtones_are_louder(note):
    time, frequency = np.arange(RATE) / RATE, NOTES[note]
    orders = [k for k in (1, 2, 3, 4, 5) if k * frequency < RATE / 2]
    loudness = dict(zip((1, 2, 3, 4, 5), (0.5, 1, 0.8, 0.4, 0.3), strict=True))
    sound = sum(loudness[k] * np.sin(2 * np.pi * k * frequency * time + k) for k in orders)
    bank = ToneBank(harmonics=8)
    strengths = bank.fit_transform([sound])[0].mean(axis=(0, 1))
    assert bank.get_feature_names_out()[strengths.argmax()] == f"signal_{note}"


# Seconds at which a note is heard. The cello plays the beginning of Bach's first suite, whose notes
# are known; the trumpet's were found by another method, probabilistic YIN.
HEARD = {
    "cello.ogg": "0.25 G2, 0.48 D3, 0.68 B3, 0.87 A3, 1.08 B3, 1.42 B3, 1.73 D3, 2.1 G2, 2.62 B3, "
    "2.81 A3, 3.0 B3, 3.34 B3, 3.67 D3, 4.1 G2, 4.36 E3, 4.6 C4, 4.76 B3, 4.95 C4",
    "trumpet.ogg": "0.45 D5, 0.97 C5, 1.55 G4, 2.11 C5, 2.4 D5, 2.66 D#5, 2.9 D5, 3.16 C5, "
    "3.42 G4, 3.66 C5, 4.1 D5, 4.45 C#5, 4.78 A#4, 5.24 F4",
}


@pytest.mark.parametrize("name", HEARD)
def test_notes_of_instruments(real_data, name):
    (signal,) = ReadAudio().transform([real_data / "audio" / name])
    bank = ToneBank(harmonics=8)
    for heard in HEARD[name].split(", "):
        second, note = heard.split()
        start = int(float(second) * RATE) - 2048
        strengths = bank.fit_transform([signal[start : start + 4096]])[0, 0, 0]
        assert bank.get_feature_names_out()[strengths.argmax()] == f"signal_{note}", second


# A sound in a recording.


def test_a_sound_is_found_by_its_tones_whatever_its_phase():
    rng = np.random.default_rng(0)
    time = np.arange(6000) / RATE
    chirp = np.sin(2 * np.pi * (400 * time + 2000 * time**2))
    turned = np.cos(2 * np.pi * (400 * time + 2000 * time**2) + 0.7)
    recording = rng.normal(0, 0.2, 60_000)
    recording[30_720 : 30_720 + 6000] += 0.6 * turned
    bank = ToneBank(lowest="C4", window_length=1024, hop_length=256)
    pattern = bank.fit_transform([chirp])[0]
    (match,) = PatternMatch(pattern, method="ncc").fit_transform(bank.transform([recording]))
    assert match[0, :, 0].argmax() == 30_720 // 256


# What is refused.


@pytest.mark.parametrize(
    ("bank", "message"),
    [
        (
            ToneBank([5000], rate=8000),
            "ToneBank: 5000Hz is not below 4000 Hz, half of the sampling rate 8000. Use a higher "
            "rate or lower frequencies.",
        ),
        (
            ToneBank(rate=4000),
            "ToneBank: C7 is not below 2000 Hz, half of the sampling rate 4000. Use a higher rate "
            "or lower frequencies.",
        ),
        (
            ToneBank(lowest="C4", highest="B3"),
            "ToneBank: lowest='C4' is above highest='B3'.",
        ),
    ],
)
def test_what_does_not_fit_together(bank, message):
    with pytest.raises(ValueError) as caught:
        bank.fit([random_signal(5000)])
    assert str(caught.value) == message


def test_a_signal_shorter_than_the_window():
    with pytest.raises(ValueError) as caught:
        ToneBank().fit([random_signal(4095)])
    assert str(caught.value) == (
        "ToneBank needs at least 4096 samples with these parameters, but signal 0 is 4095 samples."
    )
