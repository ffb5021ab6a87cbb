"""Reproduces leaks of published experiments on purpose, marked as LEAKY.

experiments/leakage.py measures how much each inflates the scores. Axes of
streams: N clips, T frames, H rows, W columns, C channels.
"""

import dataclasses

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax import datasets
from mefnet_jax.evaluation import folds
from mefnet_jax.runs import errors

_WHY = {
  'duplicates': (
    'each clip of the rarest class is in the list twice, and the copies of '
    'held-out clips are trained on'
  ),
  'tested_on_training': (
    'the scored clips contain the training clips, as in the validation set '
    'of MicroExpFuseNet'
  ),
}
_STATISTICS = {
  # Not leaky: each clip by itself, or by the training clips of each fold.
  'clip': '',
  'folds': '',
  'all': 'pixel statistics were fitted on all clips, held-out ones included',
}


def why_leaky(protocol: ConfigDict) -> str:
  """Returns why a protocol is leaky, by design or on purpose; '' if it is not.

  Args:
    protocol: config.protocol; its name, mistake and statistics matter.

  Raises:
    UserError: one of the three is not a valid choice.
  """
  for field, choices in folds.CHOICES.items():
    if protocol[field] not in choices:
      raise errors.UserError(
        f'--config.protocol.{field}={protocol[field]}: choose one of '
        f'{", ".join(choices)}'
      )
  reasons = (
    folds.why_leaky(protocol.name),
    _WHY.get(protocol.mistake, ''),
    _STATISTICS[protocol.statistics],
  )
  return '; '.join(text for text in reasons if text)


def make(
  config: ConfigDict,
  clips: datasets.Clips,
  label: np.ndarray,
  splits: tuple[folds.Fold, ...],
) -> tuple[datasets.Clips, np.ndarray, tuple[folds.Fold, ...]]:
  """Returns clips, labels and folds with the config's leak introduced.

  Args:
    config: the run's config.
    clips: the prepared clips.
    label: (N,) classes.
    splits: the folds without a leak.
  """
  if config.protocol.mistake == 'duplicates':
    clips, label, splits = _with_copies(clips, label, splits)
  elif config.protocol.mistake == 'tested_on_training':
    splits = (_tested_on_training(splits[0]),)
  return clips, label, splits


def _with_copies(clips, label, splits):
  """Appends copies of the rarest class, on which every fold trains.

  Oversampling before the split does the same: the copy of a held-out clip has
  its pixels, its label and its subject.
  """
  rarest = np.bincount(label).argmin()
  again = np.flatnonzero(label == rarest)
  copies = len(label) + np.arange(len(again), dtype=np.int32)
  doubled = dataclasses.replace(
    clips,
    streams={
      name: np.concatenate([x, x[again]]) for name, x in clips.streams.items()
    },
    clip=(*clips.clip, *(f'{clips.clip[i]} again' for i in again)),
    subject=(*clips.subject, *(clips.subject[i] for i in again)),
    database=(*clips.database, *(clips.database[i] for i in again)),
    label=np.concatenate([clips.label, clips.label[again]]),
  )
  splits = tuple(
    dataclasses.replace(fold, train=np.concatenate([fold.train, copies]))
    for fold in splits
  )
  return doubled, np.concatenate([label, label[again]]), splits


def _tested_on_training(fold: folds.Fold) -> folds.Fold:
  """A fold that is scored on all clips, most of which it trained on."""
  everything = np.sort(np.concatenate([fold.train, fold.test]))
  return dataclasses.replace(fold, test=everything)
