"""A sound and a transcript for a clip, weakly dependent on its emotion.

The sound is one second of a voice-like tone whose pitch tends to rise or fall
depending on the emotion. The transcript holds neutral words and occasionally a
word that is typical of the emotion. One clip in ten has no sound, one in ten no
transcript.
"""

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.io.wavfile

RATE = 16_000
LACKING = 0.1
LEANING = 0.15  # share of words that are typical of the emotion
SLOPE = {'negative': -0.8, 'positive': 0.3, 'surprise': 0.9, 'others': -0.2}
NEUTRAL = (
  'well this is the film they show now and then it goes on over there with a '
  'man and his dog in some street near our house while people walk by'
).split()
WORDS = {
  'negative': ('awful', 'hurts', 'stop', 'terrible', 'away'),
  'positive': ('nice', 'funny', 'lovely', 'great', 'laugh'),
  'surprise': ('suddenly', 'what', 'whoa', 'unexpected', 'really'),
  'others': ('hmm', 'perhaps', 'unsure', 'strange', 'maybe'),
}


def write(shots: Iterable[Any], root: pathlib.Path, seed: int) -> None:
  """Writes <clip>.wav and <clip>.txt beside the frames of each shot.

  Args:
    shots: the shots of a release.
    root: its folder.
    seed: its seed.
  """
  for shot in shots:
    words = f'{shot.dataset} {shot.name} speech'
    rng = np.random.default_rng([seed, *words.encode()])
    person = np.random.default_rng([seed, *b'voice', shot.subject])
    has_sound, has_words = rng.random(2) >= LACKING
    samples = sound(shot.emotion, rng, person)
    text = ' '.join(transcript(shot.emotion, rng))
    for folder in filter(None, (shot.folder, shot.crop_folder)):
      path = pathlib.Path(root, folder)
      path = path / path.name
      if has_sound:
        scipy.io.wavfile.write(path.with_suffix('.wav'), RATE, samples)
      if has_words:
        path.with_suffix('.txt').write_text(f'{text}\n', encoding='utf-8')


def sound(
  emotion: str, rng: np.random.Generator, person: np.random.Generator
) -> np.ndarray:
  """Returns one second of a voice, (RATE,) int16.

  Args:
    emotion: a key of SLOPE.
    rng: numpy Generator of the clip.
    person: numpy Generator of the person's voice.
  """
  t = np.arange(RATE) / RATE
  slope = rng.normal(SLOPE[emotion], 1.0)
  pitch = person.uniform(95, 230) * 2 ** (0.25 * slope * (t - 0.5))
  pitch *= 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(4, 6) * t)
  phase = 2 * np.pi * np.cumsum(pitch) / RATE
  tilt = person.uniform(0.8, 1.6)
  voice = sum(np.sin(k * phase + k) / k**tilt for k in range(1, 12))
  syllables = np.clip(np.sin(np.pi * rng.uniform(3, 5) * t) ** 2, 0.05, 1)
  voice = voice * syllables / np.abs(voice).max()
  noisy = 0.5 * voice + rng.normal(0, 0.02, RATE)
  return np.round(20_000 * np.clip(noisy, -1, 1)).astype(np.int16)


def transcript(emotion: str, rng: np.random.Generator) -> list[str]:
  """Returns five to nine words."""
  pools = (NEUTRAL, WORDS[emotion])
  leaning = rng.random(rng.integers(5, 10)) < LEANING
  return [str(rng.choice(pools[int(leans)])) for leans in leaning]
