"""The test masks of a protocol of one's own, checked before they are used."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax.runs import errors, plugins

# From config.protocol, label (N,), subject (N,) and a random generator to a
# mask (N,) of the tested clips for each fold, by its name.
Split = Callable[
  [ConfigDict, np.ndarray, np.ndarray, np.random.Generator],
  dict[str, np.ndarray],
]


def test_masks(
  protocol: ConfigDict,
  split: Split,
  label_N: np.ndarray,
  subject_N: np.ndarray,
  rng: np.random.Generator,
) -> dict[str, np.ndarray]:
  """Returns the masks (N,) of the tested clips, by the names of the folds.

  Args:
    protocol: config.protocol, which `split` may have fields of its own in.
    split: the user's function.
    label_N: classes of the clips.
    subject_N: names of the people in them.
    rng: for `split`.

  Raises:
    errors.UserError: `split` raises; or it does not return masks that test each
      clip at most once and leave some to train on.
  """
  name = protocol.name
  try:
    tests = split(protocol, label_N, subject_N, rng)
  except errors.UserError:
    raise
  except Exception as error:  # somebody else's code may raise anything
    raised = plugins.describe_error(error, plugins.file_of(split))
    raise errors.UserError(f'protocol {name}: it {raised}') from error
  _check(name, tests, len(label_N))
  return tests


def _check(name: str, tests: Any, count: int) -> None:
  """Raises UserError unless each clip is tested at most once."""
  wanted = (
    f'protocol {name}: a dict is needed, with the name of each fold and a mask '
    f'of {count} truth values that tests some clips and leaves some to train on'
  )
  if not isinstance(tests, dict) or not tests:
    given = 'an empty dict' if tests == {} else type(tests).__name__
    raise errors.UserError(f'{wanted}; it returns {given}')
  for fold, mask in tests.items():
    if not isinstance(fold, str):
      raise errors.UserError(f'{wanted}; a fold is called {fold!r}')
    if fault := _fault(np.asarray(mask), count):
      raise errors.UserError(f'{wanted}; fold {fold} {fault}')
  names = list(tests)
  sum_N = np.sum([tests[fold] for fold in names], 0)
  if sum_N.max() > 1:
    clip = int(np.argmax(sum_N > 1))
    both = ' and '.join(f for f in names if tests[f][clip])
    raise errors.UserError(
      f'protocol {name}: folds {both} test the same clip, so that it would '
      'count twice'
    )


def _fault(mask_N, count):
  """The fault of a fold's mask; '' if it has none."""
  if mask_N.shape != (count,) or mask_N.dtype != bool:
    return f'is {mask_N.shape} {mask_N.dtype}'
  if mask_N.all():
    return 'tests all clips'
  return '' if mask_N.any() else 'tests none'
