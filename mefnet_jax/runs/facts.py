"""Reads and validates facts.json and report.json of a run.

facts.json is written here too, report.json by `report.write`.
"""

import math
import os
from collections.abc import Collection, Mapping
from typing import Any

from mefnet_jax.runs import errors, files, json_file

FILE = 'facts.json'
FITTED = ('normalisation', 'class weights', 'landmarks', 'augmentation')
CHOSEN = ('epoch', 'hyper-parameters')
# In spotting also k_p, half the mean length of an expression, and the threshold
# for an expression.
SPOTTING_FITTED = ('k_p',)
SPOTTING_CHOSEN = ('k_p', 'threshold')
_ON = ('each clip alone', 'training', 'nothing', 'everything', 'held-out')
_BY = ('nothing', 'validation', 'held-out', 'test', 'oracle')
_SCORING = ('pooled', 'averaged')
_PARTS = ('scoring', 'chosen', 'fitted', 'labels')


def read(
  path: str | os.PathLike[str], folds: Collection[str]
) -> dict[str, Any]:
  """Reads facts.json: scoring, chosen, fitted and labels, all optional.

  Args:
    path: the file; docs/protocols.md describes its content.
    folds: names of the run's folds.

  Raises:
    UserError: the file is not a JSON object, or holds an unknown key, value
      or fold: a typo must not hide a leak.
  """
  found = json_file.read(path)
  _items(path, 'facts', found, _PARTS)
  if 'scoring' in found:
    _one_of(path, 'scoring', found['scoring'], _SCORING)
  choices, fits = CHOSEN + SPOTTING_CHOSEN, FITTED + SPOTTING_FITTED
  for name, by in _items(path, 'chosen', found.get('chosen', {}), choices):
    _word_or_clips(path, f'chosen: {name}', by, _BY, folds)
  for name, fact in _items(path, 'fitted', found.get('fitted', {}), fits):
    _fitted(path, f'fitted: {name}', fact, folds)
  _labels(path, found.get('labels', {}))
  return found


def write(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
  """Writes facts.json.

  Args:
    path: the file.
    content: as `read` returns it.

  Raises:
    OSError: it cannot be written.
  """
  files.write_json(path, content)


def scores(
  path: str | os.PathLike[str], *, permuted: bool = False
) -> dict[str, Any]:
  """Reads report.json, or reported scores in the same form.

  Args:
    path: the file.
    permuted: whether it is that of a run with permuted labels, which needs
      the interval and the chance level of its UAR.

  Raises:
    UserError: the file is not a JSON object, or a number that is needed is
      missing.
  """
  # 0.80 and 0.8 are one number, but not one claim about its precision.
  found = json_file.read(path, parse_float=Printed)
  table = found.get('metrics')
  if not isinstance(table, dict) or not all(map(is_number, table.values())):
    raise errors.UserError(f'{path}: no "metrics", names with a number each')
  if permuted:
    _permuted(path, found)
  return found


class Printed(float):
  """A number in JSON that keeps its text: 0.80 has two decimals."""

  text: str

  def __new__(cls, text: str):
    number = super().__new__(cls, text)
    number.text = text
    return number


def is_number(x: object) -> bool:
  """Returns whether a value read from JSON is a finite number."""
  return (
    isinstance(x, int | float)
    and not isinstance(x, bool)
    and abs(x) < 1e300  # JSON has integers that no float can hold
    and math.isfinite(x)
  )


def _permuted(path, found):
  """Raises UserError unless there are a UAR, its interval and chance."""
  try:
    bounds = found['intervals']['uar']
    needed = [found['metrics']['uar'], found['baseline']['chance_uar']]
    fine = all(map(is_number, [*needed, *(bounds or ())]))
  except (KeyError, TypeError):
    fine = False
  if not fine:
    raise errors.UserError(
      f'{path}: no UAR with its interval and chance: name the workdir of the '
      'run with permuted labels'
    )


def _fitted(path, where, fact, folds):
  """Checks {"on": word or {fold: clips}, "values": {fold: {class: number}}}."""
  parts = dict(_items(path, where, fact, ('on', 'values')))
  on = parts.get('on', 'nothing')
  _word_or_clips(path, f'{where}: on', on, _ON, folds)
  values = parts.get('values', {})
  for name, weights in _items(path, f'{where}: values', values, folds):
    if not isinstance(weights, dict) or not all(
      map(is_number, weights.values())
    ):
      raise errors.UserError(
        f'{path}: {where}: {name}: not a number for each class'
      )


def _word_or_clips(path, where, value, words, folds):
  """Checks a word, or {fold: clips} where the clips themselves are listed."""
  if not isinstance(value, dict):
    _one_of(path, where, value, words)
    return
  for name, clips in _items(path, where, value, folds):
    _clips(path, f'{where}: {name}', clips)


def _clips(path, where, clips):
  """Raises UserError unless it is a list of names."""
  valid = isinstance(clips, list) and all(isinstance(x, str) for x in clips)
  if not valid:
    raise errors.UserError(f'{path}: {where}: not a list of clips')


def _labels(path, labels):
  """{"corrected from": {model: clips}}"""
  parts = dict(_items(path, 'labels', labels, ('corrected from',)))
  by_model = parts.get('corrected from', {})
  if not isinstance(by_model, dict):
    raise errors.UserError(f'{path}: labels: corrected from: not an object')
  for model, clips in by_model.items():
    _clips(path, f'labels: corrected from: {model}', clips)


def _items(path, where, found, names):
  """Returns the items of an object; UserError if a name is not among names."""
  if not isinstance(found, dict):
    raise errors.UserError(f'{path}: {where}: not a JSON object')
  unknown = sorted(set(found) - set(names))
  if unknown:
    raise errors.UserError(
      f'{path}: {where}: no {unknown[0]!r}, only {", ".join(names)}'
    )
  return found.items()


def _one_of(path, where, value, words):
  if value not in words:
    raise errors.UserError(
      f'{path}: {where}: {value!r} is none of {", ".join(words)}'
    )
