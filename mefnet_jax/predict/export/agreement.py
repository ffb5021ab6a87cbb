"""Compares an exported file's answers with its model's."""

import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import model_function
from mefnet_jax.runs import errors

CLIPS = 64
TOLERANCE = 1e-5  # of a probability

Answers = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def check(
  exported: Answers,
  model: trained_model.Model,
  *,
  fold: str | None,
  seed: int | None,
  path: pathlib.Path,
) -> float:
  """Compares an exported file, in its own runtime, with its model.

  Args:
    exported: maps clips, as for `Model.inputs`, to probabilities (N, C).
    model: the model that was exported.
    fold, seed: the exported ones, as for `Model.probabilities`.
    path: the file, for the message.

  Returns:
    The largest difference of a probability, for all clips together and for the
    first of them alone.

  Raises:
    errors.UserError: it is above `TOLERANCE`.
  """
  clips = model_function.sample(model, CLIPS)
  wanted = model.probabilities(clips, fold=fold, seed=seed)
  first = {name: x[:1] for name, x in clips.items()}
  found = np.concatenate([exported(clips), exported(first)])
  wanted = np.concatenate([wanted, wanted[:1]])
  neither = np.isnan(found) & np.isnan(wanted)  # of clips without motion
  off = np.where(neither & ~neither.all(), 0, np.abs(found - wanted)).max()
  if not off <= TOLERANCE:  # true for NaN as well
    raise errors.UserError(
      f'{path}: not written: on {CLIPS} made-up clips the exported network '
      f'answers otherwise than {model.folder}, by up to {off:.1e}'
    )
  return float(off)
