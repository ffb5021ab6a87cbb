"""Writes the evidence for an audit: folds, clips and facts.

folds.csv   clip,subject,fold,role: one row per clip, fold and role
clips.csv   clip,subject,label,sha256,mark: all clips, in the order of the run;
            mark is the perceptual hash
facts.json  on which clips everything was fitted and the epoch was chosen
"""

import os
import pathlib
import typing
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax.evaluation import folds, folds_file, held_out_mask
from mefnet_jax.preprocess import perceptual_hash
from mefnet_jax.runs import facts, files

CLIPS = ('clip', 'subject', 'label', 'sha256', 'mark')
_CHOSEN = {'last': 'nothing', 'oracle': 'held-out', 'validation': 'validation'}

_NORMALISED = {
  'clip': 'each clip alone',
  'folds': 'training',
  'all': 'everything',
}


class Clips(typing.Protocol):
  """The part of `datasets.Clips` that is recorded, of N clips."""

  clip: tuple[str, ...]
  subject: tuple[str, ...]
  classes: tuple[str, ...]
  corrected_from: tuple[str, ...]
  streams: dict[str, np.ndarray]


def write(
  workdir: str | os.PathLike[str],
  clips: Clips,
  label: np.ndarray,
  splits: Sequence[folds.Fold],
  config: ConfigDict,
) -> None:
  """Writes folds.csv, folds.json, clips.csv and facts.json.

  Args:
    workdir: the run's folder.
    clips: the N prepared clips.
    label: (N,) indices of the classes that are trained on.
    splits: the folds, as indices into the clips.
    config: as in configs/base.py.

  Raises:
    OSError: a file cannot be written.
  """
  workdir = pathlib.Path(workdir)
  folds_file.write(workdir, splits, clips.clip, clips.subject, config)
  # One stream identifies a clip: the one that shows most of the face.
  face = clips.streams[min(clips.streams, key=_rank)]
  rows = [
    (
      name,
      who,
      clips.classes[c],
      perceptual_hash.digest(x),
      perceptual_hash.mark(x),
    )
    for name, who, c, x in zip(
      clips.clip, clips.subject, label, face, strict=True
    )
  ]
  files.write_csv(workdir / 'clips.csv', CLIPS, rows)
  facts.write(workdir / facts.FILE, _facts(clips, label, splits, config))


def _rank(name):
  """Ranks streams: the one that shows most of the face comes first."""
  order = ('face', 'eyes', 'mouth')
  return order.index(name) if name in order else len(order)


def _facts(clips, label, splits, config):
  """The content of facts.json."""
  by_class = {
    fold.name: _class_weights(clips, label, fold, config) for fold in splits
  }
  return {
    'scoring': 'pooled',
    'chosen': {
      'epoch': _CHOSEN[config.train.selection],
      'hyper-parameters': 'nothing',
    },
    'labels': {'corrected from': _corrected(clips)},
    'fitted': {
      'normalisation': {'on': _normalised(config)},
      'landmarks': {'on': 'each clip alone'},
      'augmentation': {'on': _augmented(config)},
      'class weights': {
        'on': 'training' if config.train.class_weights else 'nothing',
        'values': by_class if config.train.class_weights else {},
      },
    },
  }


def _corrected(clips):
  """The clips whose annotators saw a model's answers, by model."""
  found: dict[str, list[str]] = {}
  for clip, model in zip(clips.clip, clips.corrected_from, strict=False):
    if model:
      found.setdefault(model, []).append(clip)
  return found


def _normalised(config):
  """The clips from which the scale of the pixels was computed."""
  on = _NORMALISED[config.protocol.statistics]
  # This scale is fitted to the training clips of any protocol.
  return 'training' if config.get('scale') == 'train' else on


def _augmented(config):
  """The data that the augmentation was fitted to: each clip alone, or none."""
  augment = config.get('augment')
  used = augment is not None and any(augment.to_dict().values())
  return 'each clip alone' if used else 'nothing'


def _class_weights(clips, label, fold, config):
  """The weight of each class, from the function that training calls."""
  weight_N = held_out_mask.masked_weights(
    np.asarray(label),
    fold.train,
    len(clips.classes),
    balanced=config.train.class_weights,
  )
  found = {}
  # All clips of a class have one weight: the first is enough.
  for i in fold.train:
    found.setdefault(clips.classes[label[i]], round(float(weight_N[i]), 6))
  return found
