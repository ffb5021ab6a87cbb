"""Mistakes of published experiments, made on purpose: always called LEAKY.

experiments/leakage.py measures what each is worth. Axes of streams: N clips,
T frames, H rows, W columns, C channels.
"""

import dataclasses

import numpy as np

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
  'clip': '',
  'folds': '',
  'all': 'pixel statistics were fitted on all clips, held-out ones included',
}


def why_leaky(protocol) -> str:
  """Why a protocol's mistake and statistics are leaky; '' if they are not.

  Raises:
    UserError: config.protocol.mistake or .statistics is none of the choices.
  """
  for field, choices in folds.CHOICES.items():
    if protocol[field] not in choices:
      raise errors.UserError(
        f'--config.protocol.{field}={protocol[field]}: choose one of '
        f'{", ".join(choices)}'
      )
  said = _WHY.get(protocol.mistake, ''), _STATISTICS[protocol.statistics]
  return '; '.join(text for text in said if text)


def make(config, clips, label, splits):
  """The clips, labels and folds with the config's mistake made in them.

  Args:
    config: of the run.
    clips: `datasets.Clips`; label: (N,) classes; splits: honest folds.
  """
  if config.protocol.mistake == 'duplicates':
    clips, label, splits = _with_copies(clips, label, splits)
  elif config.protocol.mistake == 'tested_on_training':
    splits = (_tested_on_training(splits[0]),)
  return clips, label, splits


def _with_copies(clips, label, splits):
  """Copies of the rarest class behind the clips; each fold trains on all."""
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
  """One fold that is scored on everything, most of which it trained on."""
  everything = np.sort(np.concatenate([fold.train, fold.test]))
  return dataclasses.replace(fold, test=everything)
