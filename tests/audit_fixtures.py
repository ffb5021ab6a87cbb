"""A clean run's files, made without training, to plant leaks in."""

import csv
import json
import types

import numpy as np

from configs import base
from mefnet_jax.audit import record
from mefnet_jax.evaluation import folds, validation_split

CLASSES = ('negative', 'positive', 'surprise')


def clean(folder, *, protocol='kfold', clips=24, seed=0, chooser='last'):
  """Writes predictions.csv, folds.csv, clips.csv and facts.json of a run.

  24 clips of 6 people in two databases; two of three predictions are right.
  chooser: train.selection.
  """
  folder.mkdir(parents=True, exist_ok=True)
  config = base.get_config()
  config.protocol.update(name=protocol, folds=3)
  random = np.random.default_rng(seed)
  label = np.arange(clips) % 3
  subject = tuple(f's{i // 4 + 1:02d}' for i in range(clips))
  made = types.SimpleNamespace(
    clip=tuple(f'{who}_{i:02d}' for i, who in enumerate(subject)),
    subject=subject,
    classes=CLASSES,
    streams={'face': random.integers(0, 256, (clips, 6, 16, 16, 1), np.uint8)},
  )
  database = ['one' if who < 's04' else 'two' for who in subject]
  splits = folds.make(config.protocol, label, subject, database, seed=0)
  if chooser == 'validation':
    config.train.selection = chooser
    splits = validation_split.add_validation(
      splits, label, subject, share=0.3, seed=0
    )
  record.write(folder, made, label, splits, config)
  said = (label + (np.arange(clips) % 3 == 1) * (np.arange(clips) % 2)) % 3
  rows = []
  for fold in splits:
    for i in fold.test:
      share = np.full(3, 0.2)
      share[said[i]] = 0.6
      rows.append(
        {
          'clip': made.clip[i],
          'subject': subject[i],
          'fold': fold.name,
          'label': CLASSES[label[i]],
          'predicted': CLASSES[said[i]],
        }
        | {f'prob_{c}': x for c, x in zip(CLASSES, share, strict=True)}
      )
  write(folder / 'predictions.csv', rows)
  return folder


def read(path):
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


def write(path, rows):
  with path.open('w', newline='') as file:
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def change(path, edit):
  """Rewrites a CSV (rows) or JSON file with what `edit` makes of it."""
  if path.suffix == '.csv':
    rows = read(path)
    write(path, edit(rows) or rows)
  else:
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(edit(found) or found))
