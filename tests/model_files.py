"""What must hold of the model that a run leaves."""

import json
import pathlib

import numpy as np

import mefnet_jax
from mefnet_jax import datasets
from mefnet_jax.evaluation import folds_file
from mefnet_jax.runs import predictions, workdirs


def answers(workdir: pathlib.Path) -> np.ndarray:
  """(M, C): what the model says of the run's held-out clips, row by row.

  Each clip by the fold that held it out; mean over the seeds.
  """
  clips = datasets.load(workdirs.read_config(workdir).dataset)
  model = mefnet_jax.load(workdir)
  said = predictions.read(workdir)
  place = {name: i for i, name in enumerate(clips.clip)}
  table = folds_file.read(workdir / 'folds.csv')
  found = np.full((len(said.clip), len(model.classes)), np.nan)
  for fold in table:
    at = [i for i, name in enumerate(said.fold) if name == fold]
    index = np.array([place[said.clip[i]] for i in at])
    streams = {name: x[index] for name, x in clips.streams.items()}
    found[at] = model.probabilities(streams, fold=fold)
  return found


def check(workdir: pathlib.Path) -> None:
  """Asserts that the model gives the run's own predictions back."""
  said = predictions.read(workdir)
  np.testing.assert_allclose(answers(workdir), said.probabilities, atol=1e-6)
  described = json.loads((workdir / 'model' / 'model.json').read_text())
  report = json.loads((workdir / 'report.json').read_text())
  assert described['scores'] == report['metrics']
  assert described['notices'] == report['notices']
  assert described['synthetic'] == (report['release'] == 'synthetic')
  assert tuple(described['classes']) == said.classes
