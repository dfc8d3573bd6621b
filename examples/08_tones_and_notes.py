r"""
Finding frequencies in sound
============================

A filter that is a piece of a pure tone responds to that tone. The response of a single filter
depends on the phase of the tone. The magnitude of two filters a quarter of a wave apart, the root
of the sum of their squares, does not.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import ToneBank

# %%
# Synthesize a melody of tones with overtones and noise.
rate = 16_000
melody = ["C4", "E4", "G4", "C5", "G4", "E4", "C4"]
hertz = {"C4": 261.63, "E4": 329.63, "G4": 392.00, "C5": 523.25}
time = np.arange(int(0.4 * rate)) / rate
notes = [
    sum(np.sin(2 * np.pi * k * hertz[note] * time) / k for k in (1, 2, 3)) * np.exp(-3 * time)
    for note in melody
]
sound = np.concatenate(notes) + np.random.default_rng(0).normal(0, 0.2, len(melody) * time.size)

# %%
# Compute the responses of a bank of tones at the notes of the scale, ten times per second.
bank = ToneBank(rate=rate, frequencies="notes", lowest="C3", highest="C6", hop_length=1_600)
response = bank.fit_transform(sound[np.newaxis])[0, 0]
names = [name.removeprefix("signal_") for name in bank.get_feature_names_out()]
figure, axes = plt.subplots(2, 1, figsize=(9, 6), layout="constrained", height_ratios=[1, 3])
axes[0].plot(np.arange(sound.size) / rate, sound, linewidth=0.3)
axes[0].set(xlim=(0, sound.size / rate), title="the sound")
axes[1].imshow(response.T, aspect="auto", origin="lower", extent=(0, 2.8, -0.5, len(names) - 0.5))
axes[1].set_yticks(range(len(names))[::3], names[::3])
axes[1].set(xlabel="seconds", title="the responses of the notes")
plt.show()

# %%
# The strongest note in the middle of each tone is the one that was played.
middles = response[np.minimum((np.arange(len(melody)) * 4 + 1), len(response) - 1)]
print([names[index] for index in middles.argmax(axis=1)])
