"""Does an exported file give the model's own answers?"""

import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from mefnet_jax.predict import model as model_files
from mefnet_jax.predict.export import answer
from mefnet_jax.runs import errors

CLIPS = 64
TOLERANCE = 1e-5  # of a probability

Answers = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def check(
  exported: Answers,
  model: model_files.Model,
  *,
  fold: str | None,
  seed: int | None,
  path: pathlib.Path,
) -> float:
  """Compares an exported file, in its own runtime, with its model.

  Args:
    exported: clips as of `Model.inputs` -> probabilities (N, C).
    model: what was exported.
    fold, seed: of it, as of `Model.probabilities`.
    path: of the file, for the message.

  Returns:
    The largest difference of a probability, over all clips together and the
    first of them alone.

  Raises:
    errors.UserError: it is above `TOLERANCE`.
  """
  clips = answer.sample(model, CLIPS)
  wanted = model.probabilities(clips, fold=fold, seed=seed)
  first = {name: x[:1] for name, x in clips.items()}
  found = np.concatenate([exported(clips), exported(first)])
  wanted = np.concatenate([wanted, wanted[:1]])
  neither = np.isnan(found) & np.isnan(wanted)  # no number, of a still clip
  off = np.where(neither & ~neither.all(), 0, np.abs(found - wanted)).max()
  if not off <= TOLERANCE:  # nor where it is no number
    raise errors.UserError(
      f'{path}: not written: on {CLIPS} made-up clips the exported network '
      f'answers otherwise than {model.folder}, by up to {off:.1e}'
    )
  return float(off)
