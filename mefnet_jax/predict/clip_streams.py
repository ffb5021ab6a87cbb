"""Chooses a model's streams among those of prepared clips, and checks them."""

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
  """The network's input streams among those of prepared clips.

  Args:
    folder: the model's, for messages.
    streams: `input.streams` of model.json.
    clips: as for `Model.inputs`.

  Raises:
    errors.UserError: a stream is missing or has another shape.
  """
  found = {}
  for name, one in streams.items():
    stored = name if name in clips else one['stored']
    if stored not in clips:
      raise errors.UserError(
        f'{folder}: the network needs {stored}; the clips have only '
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
  """Checks motion maps before they are scored, and logs oddities as warnings.

  Args:
    folder: the model's, for messages.
    seen: `input` of model.json; other input than motion maps is not checked.
    clips: as for `Model.inputs`.

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
