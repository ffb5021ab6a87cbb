"""Validates model.json, which may come from a stranger, key by key."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any

from mefnet_jax.runs import errors

_MEMBER = ('file', 'fold', 'seed', 'sha256')
_MOST = 2**31


def check(path: pathlib.Path, found: Mapping[str, Any], suffix: str) -> None:
  """Checks the types and ranges of what later code relies on.

  Args:
    path: the file, for error messages.
    found: its content, with all of `model_file.KEYS`.
    suffix: that of weights files.

  Raises:
    errors.UserError: a value is not as mefnet_jax writes it.
  """
  streams = found['input']
  streams = streams.get('streams') if isinstance(streams, dict) else None
  for key, fine in {
    'network': isinstance(found['network'], dict),
    'classes': isinstance(found['classes'], list)
    and len(found['classes']) > 1
    and all(isinstance(name, str) for name in found['classes']),
    'input': isinstance(streams, dict)
    and bool(streams)
    and all(map(_is_stream, streams.values())),
    'frames': _is_whole(found['frames'], 1),
    'fps': found['fps'] is None or _is_positive(found['fps']),
    'normalisation': _is_normalisation(found['normalisation']),
    'calibration': _is_calibration(found.get('calibration'), found['network']),
    'synthetic': isinstance(found['synthetic'], bool),
    **{key: isinstance(found[key], dict) for key in _OBJECTS},
  }.items():
    if not fine:
      raise errors.UserError(f'{path}: {key}: not as mefnet_jax writes it')
  _check_members(path, found['members'], suffix)


_OBJECTS = ('preprocessing', 'scores', 'intervals', 'notices', 'versions')


def _is_stream(one):
  return (
    isinstance(one, dict)
    and isinstance(one.get('stored'), str)
    and isinstance(one.get('dtype'), str)
    and isinstance(one.get('shape'), list)
    and 0 < len(one['shape']) <= 4
    and all(_is_whole(n, 1) for n in one['shape'])
  )


def _is_normalisation(one):
  moments = one.get('moments') if isinstance(one, dict) else None
  return isinstance(moments, dict) and all(
    isinstance(own, dict) and all(map(_is_moments, own.values()))
    for own in moments.values()
  )


def _is_moments(pair):
  """A mean and a variance."""
  return (
    isinstance(pair, list) and len(pair) == 2 and all(map(_is_finite, pair))
  )


def _is_calibration(one, network):
  if one is None or one == {}:
    return True  # of a model that was not calibrated
  return (
    isinstance(one, dict)
    and _is_positive(one.get('temperature'))
    and _is_finite(one.get('threshold'))
    and ('units' not in one or _is_of_units(one['units'], network))
  )


def _is_of_units(one, network):
  """Three positive numbers of each action unit of the network."""
  units = network.get('action_units') if isinstance(network, dict) else None
  return (
    isinstance(one, dict)
    and isinstance(units, list)
    and all(
      isinstance(one.get(name), list)
      and len(one[name]) == len(units)
      and all(map(_is_positive, one[name]))
      for name in ('odds', 'level', 'side')
    )
  )


def _is_whole(x, least):
  return type(x) is int and least <= x < _MOST


def _is_finite(x):
  # Not isinstance: True is an int. JSON has integers that no float can hold.
  return type(x) in (int, float) and abs(x) < 1e300 and math.isfinite(x)


def _is_positive(x):
  return _is_finite(x) and x > 0


def _check_members(path, members, suffix):
  """Raises UserError unless each member lists a file in the model's folder."""
  if not isinstance(members, list) or not members:
    raise errors.UserError(f'{path}: it lists no weights')
  for one in members:
    fine = isinstance(one, dict) and all(key in one for key in _MEMBER)
    fine = fine and all(isinstance(one[k], str) for k in _MEMBER if k != 'seed')
    if not fine or not _is_whole(one['seed'], 0):
      raise errors.UserError(f'{path}: a member without {", ".join(_MEMBER)}')
    name = one['file']
    # A stranger's model must not make us read other files.
    if name != pathlib.PurePath(name).name or not name.endswith(suffix):
      raise errors.UserError(
        f'{path}: {name!r} is not the name of a {suffix} file in its folder'
      )
