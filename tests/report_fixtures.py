"""A small result of a protocol, for the tests of the report."""

import collections

import numpy as np
import rich.console

from mefnet_jax.evaluation import results
from mefnet_jax.report import write

Finding = collections.namedtuple('Finding', 'kind clip file what')
CLASSES = ('negative', 'positive', 'surprise')


def result(**changes) -> results.Result:
  """24 clips of 6 people in 3 folds; two of three clips are right."""
  count = 24
  label = np.arange(count) % 3
  said = (label + (np.arange(count) % 7 == 0)) % 3
  probabilities = np.full((count, 3), 0.2)
  probabilities[np.arange(count), said] = 0.6
  fields = {
    'dataset': 'smic',
    'synthetic': True,
    'release': '/somewhere/release',
    'maps': False,
    'literature': 'smic',
    'protocol': 'kfold',
    'leaky': '',
    'selection': 'last',
    'seeds': (0, 1),
    'config': {'seed': 0, 'protocol': {'name': 'kfold', 'folds': 3}},
    'model': 'mfcnn-late',
    'parameters': 1234,
    'classes': CLASSES,
    'clip': tuple(f's{i // 4}_{i}' for i in range(count)),
    'subject': tuple(f's{i // 4}' for i in range(count)),
    'fold': tuple(f'fold{i // 8}' for i in range(count)),
    'label': label,
    'probabilities': probabilities,
    'history': history(),
    'findings': (
      Finding('found', 's0_0', '', 'a clip'),
      Finding('left out', 's9_9', 'HS/s9', 'no frames'),
    ),
    'seconds': {'train': 1.5},
    'versions': {'jax': '0.10.2'},
    'device': 'CPU of a test',
    'command': 'python -m mefnet_jax.main --workdir=runs/a',
    'seed_probabilities': np.stack([probabilities, probabilities]),
  }
  return results.Result(**fields | changes)


def history(splits=('train', 'held-out')):
  """Three epochs of three folds whose losses are 1 / epoch + 0, 1, 2."""
  return [
    {
      'epoch': epoch,
      'fold': f'fold{k}',
      'split': split,
      'loss': 1 / epoch + k,
      'accuracy': 1 - 1 / (epoch + 1),
    }
    for epoch in (1, 2, 3)
    for k in range(3)
    for split in splits
  ]


def terminal(result) -> str:
  """The closing table as text."""
  console = rich.console.Console(width=120)
  with console.capture() as capture:
    console.print(write.table(results.summary(result)))
  return capture.get()
