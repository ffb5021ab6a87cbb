"""Protocols end to end, in this process, on the tiny release."""

import json
import types

import ml_collections
import numpy as np
import pytest

from configs import base_cnn
from mefnet_jax import protocol
from mefnet_jax.training import cross_validation, transfer, zero_shot
from tests.fixtures import model_files, protocol_runs, stand_ins

undrawn = stand_ins.without_figures  # a fixture


# Networks of MFCNN's parts, and the paper's protocol, in other settings.
FURTHER = ('mecnn', 'intermediate', 'base', 'paper')


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=pytest.mark.slow if name in FURTHER else ())
    for name in protocol_runs.CONFIGS
  ],
)
def test_every_config_runs(name, tiny_smic, tmp_path, undrawn):
  summary, said = protocol_runs.carried_out(
    protocol_runs.CONFIGS[name](), tiny_smic, tmp_path / 'w'
  )
  assert 'SYNTHETIC' in said
  assert (('LEAKY' in said) and bool(summary['audit']['leaks'])) == (
    name.startswith('paper')
  )
  assert summary['clips'] == (2 if name.startswith('paper') else 9)
  model_files.check(tmp_path / 'w')


@pytest.mark.parametrize(
  ('fields', 'chosen'),
  [
    ({}, cross_validation),
    ({'weights': ''}, zero_shot),
    ({'weights': 'mefnet-zero', 'transfer': {'folds': 5}}, transfer),
  ],
)
def test_the_config_chooses_what_is_trained(fields, chosen, monkeypatch):
  for module in (cross_validation, zero_shot, transfer):
    monkeypatch.setattr(module, 'train', lambda *args, own=module: (own, args))
  job = types.SimpleNamespace(config=ml_collections.ConfigDict(fields))
  assert protocol.train_by_config(job, (3,)) == (chosen, (job, (3,)))


@pytest.mark.parametrize('name', ['loso', 'kfold_clips'])
def test_every_protocol_pools_each_clip_once(
  name, tiny_smic, tmp_path, undrawn
):
  config = base_cnn.get_config()
  config.protocol.name = name
  summary, said = protocol_runs.carried_out(config, tiny_smic, tmp_path / 'w')
  assert summary['clips'] == 9
  assert np.sum(summary['confusion']) == 9
  assert ('LEAKY' in said) == (name == 'kfold_clips')


def test_seeds_are_averaged_and_told_apart(tiny_smic, tmp_path, undrawn):
  config = base_cnn.get_config()
  config.seeds = 2
  summary, _ = protocol_runs.carried_out(config, tiny_smic, tmp_path / 'w')
  assert summary['seeds'] == [0, 1]
  assert len(summary['per_seed']) == 2
  model_files.check(tmp_path / 'w')
  rows = (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines()
  assert {json.loads(row)['seed'] for row in rows} == {0, 1}


def test_shuffled_labels_are_said(tiny_smic, tmp_path, undrawn):
  config = base_cnn.get_config()
  config.protocol.shuffle_labels = True
  summary, said = protocol_runs.carried_out(config, tiny_smic, tmp_path / 'w')
  assert 'SHUFFLED LABELS' in said
  assert summary['shuffled_labels']
