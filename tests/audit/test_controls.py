"""What an audit runs itself is the run it audits, but for one thing."""

import json

import numpy as np
import pytest

from mefnet_jax.audit import __main__ as command
from mefnet_jax.audit import audit, evidence
from mefnet_jax.explain import features
from mefnet_jax.runs import errors
from tests.fixtures import protocol_runs, stand_ins


@pytest.fixture
def run(tiny_smic, tmp_path, monkeypatch):
  """A run without training, as main leaves it."""
  stand_ins.quicken(monkeypatch)
  config = protocol_runs.CONFIGS['mfcnn']()
  folder = tmp_path / 'w'
  protocol_runs.carried_out(config, tiny_smic, folder)
  (folder / 'config.json').write_text(json.dumps(config.to_dict()))
  return folder


def test_the_control_is_the_run_with_permuted_labels(run):
  control = command._permuted(run)
  config = json.loads((control / 'config.json').read_text())
  assert config['protocol'].pop('shuffle_labels') is True
  own = json.loads((run / 'config.json').read_text())
  assert own['protocol'].pop('shuffle_labels') is False
  assert config == own
  found = audit.find(evidence.from_run(run, permuted=control))
  assert 'permuted labels are learnt' in found['checked']
  assert found['leaks'] == []


@pytest.mark.slow
def test_features_are_those_of_the_dense_layers(tiny_run):
  made = features.dense_features(tiny_run)
  seen = evidence.from_run(tiny_run)
  assert list(made) == list(seen.clip_rows)
  found = np.stack(list(made.values()))
  assert found.shape[0] == 9 and np.isfinite(found).all()
  assert (found.std(0) > 0).any()
  said = audit.find(seen, found)
  assert 'who, from the features' in said['probes']


def test_a_folder_without_a_run_is_named(tmp_path):
  with pytest.raises(errors.UserError, match='config.json'):
    command._permuted(tmp_path)
