"""A model's answers about action units, and the table action_units.csv."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from mefnet_jax.runs import files

_ENDS = ('p', 'level', 'side')


def mean(
  outs: Sequence[Mapping[str, np.ndarray]],
  scale: np.ndarray,
  calibration: Mapping[str, Sequence[float]] | None,
) -> dict[str, np.ndarray]:
  """The mean of the members' answers about N maps and A action units.

  Args:
    outs: the `out` of each member's network (`models.motion_heads`).
    scale: (N,) factors from the networks' levels to the unit of the result.
    calibration: `Model.unit_calibration`; None for none.

  Returns:
    p (N, A): probability that the unit moves. level (N, A): how far, mean of
    both sides; below 0 where it moves backwards. side (N, A): 1 is the person's
    left alone, -1 the right alone, 0 both alike.
  """
  logit = np.stack([out['unit_logit'] for out in outs]).astype(np.float64)
  sides = np.mean([out['unit_level'] for out in outs], 0)
  plain = {
    'p': (1 / (1 + np.exp(-logit))).mean(0),
    'level': sides.mean(-1) * scale[:, None],
    'side': side(sides),
  }
  return plain if calibration is None else calibrated(plain, calibration)


def side(levels: np.ndarray) -> np.ndarray:
  """Sides (...), -1 to 1, from the levels (..., 2) of left and right."""
  # A side that moves backwards counts as one at rest.
  left, right = np.moveaxis(np.maximum(levels, 0), -1, 0)
  return (left - right) / np.maximum(left + right, 1e-6)


def calibrated(
  answers: Mapping[str, np.ndarray], calibration: Mapping[str, Sequence[float]]
) -> dict[str, np.ndarray]:
  """Calibrates the answers about each unit by three positive numbers.

  Args:
    answers: result of `mean` without a calibration.
    calibration: `odds` (A,) multiply the odds of p, as if the unit were so much
      more frequent; .5 is then the best threshold. `level` (A,) multiplies the
      level. `side` (A,) is the power of `stretched`.

  Returns:
    The calibrated answers; within a unit their order stays the same.
  """
  odds, level, stretch = (
    np.asarray(calibration[name], np.float64)
    for name in ('odds', 'level', 'side')
  )
  p = answers['p']
  return {
    'p': p * odds / (p * odds + (1 - p)),
    'level': answers['level'] * level,
    'side': stretched(answers['side'], stretch),
  }


def stretched(side: np.ndarray, power: float | np.ndarray) -> np.ndarray:
  """Sides whose ratio of left to right is raised to a power.

  Unlike a factor, this keeps sides within [-1, 1] and distinct.
  """
  with np.errstate(divide='ignore'):  # a side of exactly 1 stays 1
    return np.tanh(power * np.arctanh(side))


def write(
  path: pathlib.Path,
  clip: Sequence[str],
  subject: Sequence[str],
  units: Sequence[int],
  found: Mapping[str, np.ndarray],
) -> None:
  """Writes action_units.csv: clip, subject, AU01_p, AU01_level, AU01_side, ...

  Args:
    path: the file to write.
    clip, subject: (N,) names.
    units: FACS numbers of the A action units.
    found: result of `mean`.

  Raises:
    OSError: the file cannot be written.
  """
  header = ['clip', 'subject']
  header += [f'AU{unit:02d}_{end}' for unit in units for end in _ENDS]
  values = np.stack([found[end] for end in _ENDS], axis=-1)
  names = zip(clip, subject, strict=True)
  rows = [
    (*own, *(f'{x:.4f}' for x in row.ravel()))
    for own, row in zip(names, values, strict=True)
  ]
  files.write_csv(path, header, rows)
