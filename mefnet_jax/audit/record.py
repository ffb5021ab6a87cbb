"""What a run leaves for an audit: who was where, and what was fitted on what.

folds.csv   clip,subject,fold,role: train, validation or test, a row each
clips.csv   clip,subject,label,sha256,mark: all clips, in the order of the run
facts.json  what each fitted thing saw, what the epoch was chosen on
"""

import pathlib

import numpy as np

from mefnet_jax.evaluation import folds_file, held_out_mask
from mefnet_jax.preprocess import perceptual_hash
from mefnet_jax.runs import files

CLIPS = ('clip', 'subject', 'label', 'sha256', 'mark')
_CHOSEN = {'last': 'nothing', 'oracle': 'held-out', 'validation': 'validation'}

_NORMALISED = {
  'clip': 'each clip alone',
  'folds': 'training',
  'all': 'everything',
}


def write(workdir, clips, label, splits, config) -> None:
  """Writes the three files of a run.

  Args:
    workdir: of the run.
    clips: `datasets.Clips`, or what has its clip, subject, classes, streams.
    label: (N,) classes that are trained on.
    splits: the folds, as indices into the clips.
    config: as in configs/base.py.
  """
  workdir = pathlib.Path(workdir)
  folds_file.write(workdir, splits, clips.clip, clips.subject, config)
  face = clips.streams[min(clips.streams, key=_by_worth)]
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
  files.write_json(workdir / 'facts.json', _facts(clips, label, splits, config))


def _by_worth(name):
  """The stream that shows most comes first."""
  order = ('face', 'eyes', 'mouth')
  return order.index(name) if name in order else len(order)


def _facts(clips, label, splits, config):
  by_class = {
    fold.name: _class_weights(clips, label, fold, config) for fold in splits
  }
  return {
    'scoring': 'pooled',
    'chosen': {
      'epoch': _CHOSEN[config.train.selection],
      'hyper-parameters': 'nothing',
    },
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


def _normalised(config):
  """What the scale of a pixel was computed from."""
  on = _NORMALISED[config.protocol.statistics]
  return 'training' if config.get('scale') == 'train' else on


def _augmented(config):
  """Each clip is varied by itself, if at all."""
  augment = config.get('augment')
  some = augment is not None and any(augment.to_dict().values())
  return 'each clip alone' if some else 'nothing'


def _class_weights(clips, label, fold, config):
  """The weight of a clip of each class, by the function that training calls."""
  weight_N = held_out_mask.clip_weights(
    np.asarray(label),
    fold.train,
    len(clips.classes),
    balanced=config.train.class_weights,
  )
  found = {}
  for i in fold.train:
    found.setdefault(clips.classes[label[i]], round(float(weight_N[i]), 6))
  return found
