"""What an audit runs itself is the run it audits, but for one thing."""

import json

import jax
import numpy as np
import pytest

from mefnet_jax import audit, controls, errors, evidence, fit, inputs
from tests import test_protocol, training_fixtures


@pytest.fixture
def run(tiny_smic, tmp_path, monkeypatch):
  """A run without training, as main leaves it."""
  training_fixtures.quicken(monkeypatch)
  config = test_protocol.CONFIGS['mfcnn']()
  folder = tmp_path / 'w'
  test_protocol.carried_out(config, tiny_smic, folder)
  (folder / 'config.json').write_text(json.dumps(config.to_dict()))
  return folder


def test_the_control_is_the_run_with_permuted_labels(run):
  control = controls.permuted(run)
  config = json.loads((control / 'config.json').read_text())
  assert config['protocol'].pop('shuffle_labels') is True
  own = json.loads((run / 'config.json').read_text())
  assert own['protocol'].pop('shuffle_labels') is False
  assert config == own
  found = audit.find(evidence.of_run(run, permuted=control))
  assert 'permuted labels are learnt' in found['checked']
  assert found['leaks'] == []


@pytest.mark.slow
def test_features_are_those_of_the_dense_layers(run, monkeypatch):
  def weights(workdir, model, clips, seed):
    batch = inputs.batch(clips, np.zeros(1, np.int32), how='frames')
    params = model.init(jax.random.key(0), batch)['params']
    return jax.tree.map(lambda x: x[None], params), []

  monkeypatch.setattr(fit, 'trained', weights)
  table = controls.features(run)
  seen = evidence.of_run(run)
  assert list(table) == list(seen.clips)
  found = np.stack(list(table.values()))
  assert found.shape[0] == 9 and np.isfinite(found).all()
  assert (found.std(0) > 0).any()
  said = audit.find(seen, found)
  assert 'who, from the features' in said['probes']


def test_a_folder_without_a_run_is_named(tmp_path):
  with pytest.raises(errors.UserError, match='config.json'):
    controls.permuted(tmp_path)
