"""Prepared clips as a model's streams: the right ones, of the right shape."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from mefnet_jax.preprocess import map_check
from mefnet_jax.runs import errors


def chosen(
  folder: pathlib.Path, streams: Mapping[str, Any], clips: Mapping
) -> dict[str, np.ndarray]:
  """The streams that the network looks at, out of prepared clips.

  Args:
    folder: of the model.
    streams: of model.json's `input`.
    clips: as of `Model.inputs`.

  Raises:
    errors.UserError: a stream is missing or has another shape.
  """
  found = {}
  for name, one in streams.items():
    stored = name if name in clips else one['stored']
    if stored not in clips:
      raise errors.UserError(
        f'{folder}: the network looks at {stored}; the clips hold '
        f'{", ".join(clips)}'
      )
    x, shape = clips[stored], tuple(one['shape'])
    # A network without dense layers would answer clips of any size.
    if tuple(x.shape[1:]) != shape:
      raise errors.UserError(
        f'{folder}: {stored} must be clips of shape {shape}, not '
        f'{tuple(x.shape[1:])}: prepare them with the options of model.json'
      )
    found[name] = x
    if f'{stored}_present' in clips:
      found[f'{name}_present'] = clips[f'{stored}_present']
  return found


def check(
  folder: pathlib.Path, seen: Mapping[str, Any], clips: Mapping
) -> None:
  """Looks at motion maps before they are scored; says what is odd in the log.

  Args:
    folder: of the model.
    seen: model.json's `input`; only motion maps are looked at.
    clips: as of `Model.inputs`.

  Raises:
    errors.UserError: as `chosen`; maps whose channels are in another order, or
      that were not saved as such (`map_check`).
  """
  if seen['how'] != 'motion':
    return
  (maps,) = chosen(folder, seen['streams'], clips).values()
  maps = np.asarray(maps)[:, 0]
  for fault in map_check.refuse(maps, 'the motion maps'):
    logging.warning('the motion maps: %s', fault.what)
  still = map_check.constant(maps).sum()
  if still:
    logging.warning(
      '%d of %d motion maps are constant: nothing moves in them, and their '
      'classes are guesses',
      still,
      len(maps),
    )
