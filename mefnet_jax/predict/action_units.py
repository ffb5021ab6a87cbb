"""What a model says of action units, and the table of it."""

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
  """What the members say of the action units, taken together.

  Args:
    outs: what each member's network says beside the logits
      (`models.motion_heads`).
    scale: (N,) the unit of their levels, in that of the answer.
    calibration: of `Model.unit_calibration`; None leaves all as it is.

  Returns:
    p (N, A): probability that the unit moves. level (N, A): how far, mean of
    both sides; below 0 where it runs backwards. side (N, A): 1 is the person's
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
  """-1 to 1 of levels (..., 2) of the left and the right side."""
  # A side that runs backwards is at rest when sides are compared.
  left, right = np.moveaxis(np.maximum(levels, 0), -1, 0)
  return (left - right) / np.maximum(left + right, 1e-6)


def calibrated(
  said: Mapping[str, np.ndarray], calibration: Mapping[str, Sequence[float]]
) -> dict[str, np.ndarray]:
  """What is said of the units, by three positive numbers of each.

  Args:
    said: of `mean` without a calibration.
    calibration: `odds` (A,), by which those of p are multiplied, as if the
      unit were so much more frequent; .5 is then the best threshold. `level`
      (A,), a factor. `side` (A,), of `stretched`.

  Returns:
    As `said`, in the same order within each unit.
  """
  odds, level, stretch = (
    np.asarray(calibration[name], np.float64)
    for name in ('odds', 'level', 'side')
  )
  p = said['p']
  return {
    'p': p * odds / (p * odds + (1 - p)),
    'level': said['level'] * level,
    'side': stretched(said['side'], stretch),
  }


def stretched(side: np.ndarray, power: float | np.ndarray) -> np.ndarray:
  """Sides whose ratio of left to right is raised to a power.

  Other than a factor, it leaves none beyond 1 and makes none alike.
  """
  with np.errstate(divide='ignore'):  # of one side alone, which stays 1
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
    path: of the file.
    clip, subject: (N,) names.
    units: numbers of the A action units (FACS).
    found: of `mean`.
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
