import io
import os
import re
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from featx import ReadAudio
from featx.core.errors import RefusedImage
from featx.io import audio as module
from featx.io.audio import read_sound
from featx.io.files import REASONS

RATE = 8000
RIGHT = "Supported formats: WAV, FLAC and Ogg (Vorbis or Opus)."


def tone(length=4000, channels=1, seed=0):
    phase = np.random.default_rng(seed).uniform(0, 6, channels)
    return 0.5 * np.sin(0.3 * np.arange(length)[:, np.newaxis] + phase)


def encoded(sound, kind="WAV", subtype=None, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.fixture
def file(tmp_path):
    """Return a function that writes bytes to a file."""

    def write(content):
        path = tmp_path / "sound"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def refusal(file):
    """Return a function that returns reason and detail for a file of these bytes."""

    def refuse(content, **parameters):
        path = file(content)
        with pytest.raises(RefusedImage) as caught:
            ReadAudio(**parameters).transform([path])
        assert caught.value.path == str(path)
        assert caught.value.reason in REASONS
        return caught.value.reason, caught.value.detail

    return refuse


def patched(content, position, form, value):
    patch = struct.pack(form, value)
    return content[:position] + patch + content[position + len(patch) :]


# Valid files.


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("kind", "subtype", "error"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "FLOAT", 0),
        ("WAVEX", "PCM_16", 2**-15),
        ("FLAC", "PCM_16", 2**-15),
        ("OGG", "VORBIS", 0.05),
        ("OGG", "OPUS", 0.2),
    ],
)
def test_formats(file, kind, subtype, error, channels):
    if subtype == "OPUS" and channels == 6:
        pytest.skip("Opus treats the last of six channels as LFE, and filters it")
    sound = tone(channels=channels)
    path = file(encoded(sound, kind, subtype))
    read, rate = read_sound(path)
    assert rate == RATE
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, sound, rtol=0, atol=error + 1e-7, strict=False)
    mono = ReadAudio(rate=None).transform([path])
    np.testing.assert_allclose(mono, [sound.mean(axis=1)], rtol=0, atol=error + 1e-7)


def test_other_kinds_of_wav_are_read(file):
    for subtype in ("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "DOUBLE"):
        read, _ = read_sound(file(encoded(tone(), "WAV", subtype)))
        # Adaptive codecs need some samples to adapt, and pad their last block.
        np.testing.assert_allclose(read[50:4000], tone()[50:], rtol=0, atol=0.05)


def test_mono_and_stereo(file):
    one, two = tone(), tone(channels=2)
    stereo = ReadAudio(rate=RATE, mode="stereo")
    np.testing.assert_allclose(
        stereo.transform([file(encoded(one, subtype="FLOAT"))])[0], np.hstack([one, one]), atol=1e-7
    )
    np.testing.assert_allclose(
        stereo.transform([file(encoded(two, subtype="FLOAT"))])[0], two, atol=1e-7
    )
    assert stereo.get_feature_names_out().tolist() == ["left", "right"]
    assert ReadAudio().get_feature_names_out().tolist() == ["signal"]


@pytest.mark.parametrize(("rate", "up", "down"), [(4000, 1, 2), (22_050, 441, 160), (8000, 1, 1)])
def test_resampling_equals_scipy_in_double_precision(file, rate, up, down):
    (signal,) = ReadAudio(rate=rate).transform([file(encoded(tone(), subtype="FLOAT"))])
    expected = resample_poly(tone()[:, 0], up, down)
    assert signal.dtype == np.float32
    np.testing.assert_allclose(signal, expected, rtol=0, atol=2e-6, strict=False)


def test_a_tone_stays_the_same_tone(file):
    time = np.arange(48_000) / 48_000
    path = file(encoded(np.sin(2 * np.pi * 440 * time), subtype="FLOAT", rate=48_000))
    (signal,) = ReadAudio(rate=22_050).transform([path])
    expected = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)
    # Resampling rings at the ends.
    np.testing.assert_allclose(signal[500:-500], expected[500:-500], rtol=0, atol=2e-3)


def test_arrays_are_as_good_as_files(file):
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (500, 2), np.int16)
    path = file(encoded(samples))
    for mode in ("mono", "stereo"):
        read = ReadAudio(rate=RATE, mode=mode)
        expected = read.transform([path])
        np.testing.assert_array_equal(read.transform([samples]), expected)
        np.testing.assert_array_equal(read.transform([samples / 2.0**15]), expected)
        np.testing.assert_array_equal(read.transform(np.stack([samples])), expected)


@pytest.mark.parametrize("wrong", [np.zeros((2, 3, 4, 5)), np.zeros(5, np.int32)])
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ValueError) as caught:
        ReadAudio().transform([wrong])
    assert str(caught.value) == (
        "ReadAudio: expected paths, or signals as arrays (length,) or (length, channels) of "
        f"floating point or int16, but got shape {wrong.shape} and type {wrong.dtype}."
    )


def test_one_signal_alone_is_refused():
    with pytest.raises(ValueError) as caught:
        ReadAudio().transform(np.zeros(100))
    assert str(caught.value) == (
        "ReadAudio: expected a batch of paths, or a batch of signals, an array (n, length) or (n, "
        "length, channels) or a list of arrays (length,) or (length, channels), but got one array "
        "of shape (100,). For a single signal, wrap it in a list: [signal]."
    )


# Rejected files.


def test_files_that_are_no_sounds(refusal, tmp_path):
    not_a_sound = ("not-a-sound", f"unknown sound format. {RIGHT}")
    whole = encoded(tone())
    assert refusal(b"") == ("empty", "the file has no bytes.")
    assert refusal(b"This is no sound.") == not_a_sound
    assert refusal(b"XXXX" + whole[4:]) == not_a_sound
    assert refusal(whole[:8] + b"AVI " + whole[12:]) == not_a_sound
    assert refusal(encoded(tone(), "AIFF")) == not_a_sound
    with pytest.raises(RefusedImage) as caught:
        read_sound(tmp_path)
    assert (
        caught.value.detail == "the path is a folder, pipe, socket or device, not a regular file."
    )


@pytest.mark.parametrize(
    ("position", "form", "value", "detail"),
    [
        (22, "<H", 0, "the header states 0 channels and a rate of 8000 Hz."),
        (24, "<I", 0, "the header states 1 channels and a rate of 0 Hz."),
        (
            32,
            "<H",
            7,
            "the header is inconsistent: 1 channels of 16 bits, blocks of 7 bytes, and 16000 "
            "bytes per second at 8000 Hz.",
        ),
        (
            34,
            "<H",
            24,
            "the header is inconsistent: 1 channels of 24 bits, blocks of 2 bytes, and 16000 "
            "bytes per second at 8000 Hz.",
        ),
        (
            28,
            "<I",
            1,
            "the header is inconsistent: 1 channels of 16 bits, blocks of 2 bytes, and 1 bytes "
            "per second at 8000 Hz.",
        ),
        (
            20,
            "<H",
            999,
            "the WAV file cannot be decoded (Error in WAV/W64/RF64 file. Malformed 'fmt ' chunk).",
        ),
        (12, "4s", b"junk", "the samples precede their format."),
        (36, "4s", b"junk", "the file has a header, but no samples."),
        (40, "<I", 0, "the header states 0 bytes of samples, but 8000 bytes follow."),
    ],
)
def test_wav_with_a_wrong_header(refusal, position, form, value, detail):
    assert refusal(patched(encoded(tone()), position, form, value)) == ("corrupt", detail)


def test_wav_that_promises_more_than_there_is(refusal, file):
    whole = encoded(tone())
    promised = "the header states 8000 bytes of samples, but the file has"
    assert refusal(whole[:-2]) == ("truncated", f"{promised} 7998.")
    assert refusal(whole[:44]) == ("truncated", f"{promised} 0.")
    assert refusal(whole[:30]) == ("corrupt", "the file has a header, but no samples.")
    # Files written through a pipe do not state their size.
    read, _ = read_sound(file(patched(whole, 40, "<I", 2**32 - 1)))
    np.testing.assert_allclose(read, tone(), rtol=0, atol=2**-14)


def test_silent_empty_and_not_a_number(refusal):
    assert refusal(encoded(tone(0))) == ("empty", "the file has a header, but no samples.")
    silent = ("silent", "all samples are equal.")
    assert refusal(encoded(0 * tone())) == silent
    assert refusal(encoded(0 * tone() + 0.25, "FLAC")) == silent
    for value in (np.nan, np.inf):
        broken = tone()
        broken[1000] = value
        expected = ("corrupt", "some samples are NaN or infinite.")
        assert refusal(encoded(broken, "WAV", "FLOAT")) == expected


def test_too_many_samples_or_channels(refusal):
    expected = ("too-large", "the file has 4000 x 2 samples, more than max_samples=7999.")
    assert refusal(encoded(tone(channels=2)), max_samples=7999) == expected
    expected = ("unsupported", "the file has 3 channels. mode='stereo' supports 1 or 2.")
    assert refusal(encoded(tone(channels=3)), mode="stereo") == expected


@pytest.mark.parametrize("mode", ["mono", "stereo"])
def test_rates_that_would_take_all_memory(refusal, file, mode):
    fast = encoded(tone(), rate=1_000_000_007)
    assert refusal(fast, mode=mode) == (
        "unsupported",
        "the sampling rate is 1000000007 Hz. Resampling supports at most 768000 Hz.",
    )
    (signal,) = ReadAudio(rate=None).transform([file(fast)])
    np.testing.assert_allclose(signal, tone()[:, 0], rtol=0, atol=2**-14)
    slow, samples = encoded(tone(), rate=1), 4000 * 22_050 * (1 + (mode == "stereo"))
    assert refusal(slow, mode=mode, max_samples=samples - 1) == (
        "too-large",
        f"resampled from 1 to 22050 Hz, the sound has {samples} samples, more than "
        f"max_samples={samples - 1}.",
    )


def test_resampling_up_to_the_limits(file):
    path = file(encoded(tone(400), rate=768_000))
    (signal,) = ReadAudio(rate=1_536_000, max_samples=800).transform([path])
    assert signal.shape == (800,)


def test_ogg_that_lacks_something(refusal):
    whole = encoded(tone(40_000) + np.random.default_rng(0).normal(0, 0.1, (40_000, 1)), "OGG")
    pages = [match.start() for match in re.finditer(b"OggS", whole)]
    assert len(pages) > 4
    missing = ("truncated", "the last page is missing.")
    assert refusal(whole[: pages[-1]]) == missing
    for cut in (pages[-1] + 5, pages[-1] + 28, len(whole) - 1):
        assert refusal(whole[:cut]) == ("truncated", "the file ends within a page.")
    assert refusal(whole[: pages[2]] + whole[pages[3] :]) == (
        "corrupt",
        "a page is missing.",
    )
    assert refusal(whole + b"more") == ("corrupt", "unexpected data between pages.")
    flipped = bytearray(whole)
    flipped[pages[2] + 100] ^= 1
    wrong = ("corrupt", "wrong checksum of a page.")
    assert refusal(bytes(flipped)) == wrong


def test_damaged_flac(refusal):
    whole = encoded(tone(40_000), "FLAC")
    for broken in (whole[: len(whole) // 2], patched(whole, len(whole) // 2, "<Q", 0)):
        reason, detail = refusal(broken)
        assert reason in ("corrupt", "truncated")
        assert detail.startswith(("the FLAC file cannot be decoded (", "the header states 40000"))


@given(st.data())
def test_no_file_makes_it_stumble(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["WAV", "FLAC", "OGG"]))
    content = bytearray(encoded(tone(2000), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content) - 1, 300)))] = data.draw(
            st.integers(0, 255)
        )
    path = tmp_path_factory.getbasetemp() / f"stumble {os.getpid()}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read, rate = read_sound(path, max_samples=1_000_000)
    except RefusedImage as error:
        reason = error.reason
    else:
        reason = None
        assert rate > 0
        assert np.isfinite(read).all()
    assert reason in (None, *REASONS)


def test_one_clear_line_without_soundfile(monkeypatch, file):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as caught:
        ReadAudio().transform([file(encoded(tone()))])
    assert str(caught.value) == (
        "ReadAudio requires soundfile, which is not installed. Install it: pip install "
        "'featx[audio]'"
    )
