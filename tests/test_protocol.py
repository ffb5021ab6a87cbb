"""Protocols end to end, in this process, on the tiny release."""

import io
import json
import threading

import numpy as np
import pytest
import rich.console

from configs import base_cnn, mecnn, mfcnn, paper
from mefnet_jax import protocol
from mefnet_jax.report import figures
from mefnet_jax.training import config_check
from tests import training_fixtures


def carried_out(config, release, workdir, *, kernel=(5, 3, 3), pool=(3, 3, 3)):
  config.dataset.update(
    frames=9, face=16, eyes=12, mouth=12, release=str(release)
  )
  config.model.update(filters=4, kernel=kernel, pool=pool, hidden=(8,))
  config.train.update(epochs=2, batch_size=8)
  config.protocol.folds = 3
  config_check.check(config)
  text = io.StringIO()
  workdir.mkdir(exist_ok=True)
  summary = protocol.run(
    config,
    workdir,
    console=rich.console.Console(file=text, width=100),
    stop=threading.Event(),
  )
  return summary, text.getvalue()


@pytest.fixture
def undrawn(monkeypatch):
  """The report has no figures: they are those of every other run."""
  monkeypatch.setattr(figures, 'draw', training_fixtures.undrawn)


CONFIGS = {
  'mfcnn': mfcnn.get_config,
  'intermediate': lambda: mfcnn.get_config('intermediate'),
  'mecnn': mecnn.get_config,
  'base': base_cnn.get_config,
  'paper': paper.get_config,
}


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_runs(name, tiny_smic, tmp_path):
  summary, said = carried_out(CONFIGS[name](), tiny_smic, tmp_path / 'w')
  assert 'SYNTHETIC' in said
  assert (('LEAKY' in said) and bool(summary['audit']['leaks'])) == (
    name.startswith('paper')
  )
  assert summary['clips'] == (2 if name.startswith('paper') else 9)


@pytest.mark.parametrize('name', ['loso', 'kfold_clips'])
def test_every_protocol_pools_each_clip_once(
  name, tiny_smic, tmp_path, undrawn
):
  config = base_cnn.get_config()
  config.protocol.name = name
  summary, said = carried_out(config, tiny_smic, tmp_path / 'w')
  assert summary['clips'] == 9
  assert np.sum(summary['confusion']) == 9
  assert ('LEAKY' in said) == (name == 'kfold_clips')


def test_seeds_are_averaged_and_told_apart(tiny_smic, tmp_path, undrawn):
  config = base_cnn.get_config()
  config.seeds = 2
  summary, _ = carried_out(config, tiny_smic, tmp_path / 'w')
  assert summary['seeds'] == [0, 1]
  assert len(summary['per_seed']) == 2
  rows = (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines()
  assert {json.loads(row)['seed'] for row in rows} == {0, 1}


def test_shuffled_labels_are_said(tiny_smic, tmp_path, undrawn):
  config = base_cnn.get_config()
  config.protocol.shuffle_labels = True
  summary, said = carried_out(config, tiny_smic, tmp_path / 'w')
  assert 'SHUFFLED LABELS' in said
  assert summary['shuffled_labels']
