"""What a model says of action units, and the table of it."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from mefnet_jax.runs import files

_ENDS = ('p', 'level', 'side')


def mean(
  outs: Sequence[Mapping[str, np.ndarray]], scale: np.ndarray
) -> dict[str, np.ndarray]:
  """What the members say of the action units, taken together.

  Args:
    outs: what each member's network says beside the logits
      (`models.motion_heads`).
    scale: (N,) the unit of their levels, in that of the answer.

  Returns:
    p (N, A): probability that the unit moves. level (N, A): how far, mean of
    both sides; below 0 where it runs backwards. side (N, A): 1 is the person's
    left alone, -1 the right alone, 0 both alike.
  """
  logit = np.stack([out['unit_logit'] for out in outs]).astype(np.float64)
  sides = np.mean([out['unit_level'] for out in outs], 0)
  # A side that runs backwards is at rest when sides are compared.
  left, right = np.moveaxis(np.maximum(sides, 0), -1, 0)
  return {
    'p': (1 / (1 + np.exp(-logit))).mean(0),
    'level': sides.mean(-1) * scale[:, None],
    'side': (left - right) / np.maximum(left + right, 1e-6),
  }


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
