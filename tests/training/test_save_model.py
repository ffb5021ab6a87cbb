"""What a run leaves as a model is all that its answers depend on."""

import types

import numpy as np
import pytest

from configs import base_cnn, mfcnn_multimodal, residual
from mefnet_jax.evaluation import conformal
from mefnet_jax.synthetic import release as synthetic
from mefnet_jax.training import save_model
from tests.fixtures import model_files, protocol_runs, stand_ins

undrawn = stand_ins.without_figures  # a fixture
pytestmark = pytest.mark.usefixtures('undrawn')

ORACLE = {'train.selection': 'oracle', 'train.evaluate_every': 1}


@pytest.mark.parametrize(
  'change',
  [
    {'scale': 'train', **ORACLE},
    {'protocol.statistics': 'folds'},
    *(
      pytest.param(change, marks=pytest.mark.slow)
      for change in (
        {'protocol.statistics': 'all'},
        {'scale': 'train'},
        ORACLE,
      )
    ),
  ],
  ids=lambda change: '-'.join(map(str, change.values())),
)
def test_scales_go_with_the_weights(change, tiny_smic, tmp_path):
  config = base_cnn.get_config()
  config.update_from_flattened_dict(change)
  protocol_runs.carried_out(config, tiny_smic, tmp_path / 'w')
  model_files.check(tmp_path / 'w')
  moments = {}
  for file in (tmp_path / 'w' / 'model').glob('*.safetensors'):
    moments[file.name] = file.stat().st_size
  assert len(moments) == 3
  if 'protocol.statistics' in change:  # a mean and a spread of each pixel
    assert min(moments.values()) > 2 * 4 * 9 * 16 * 16


@pytest.mark.slow
def test_residual_units(tiny_smic, tmp_path):
  config = residual.get_config()
  config.model.update(depth=(1,), width=(4,))
  protocol_runs.carried_out(config, tiny_smic, tmp_path / 'w')
  model_files.check(tmp_path / 'w')


@pytest.mark.slow
def test_sounds_and_words(tmp_path):
  root = synthetic.write(
    'smic', tmp_path / 'smic', clips=3, subjects=4, multimodal=True, processes=1
  )
  config = mfcnn_multimodal.get_config()
  protocol_runs.carried_out(config, root, tmp_path / 'w')
  model_files.check(tmp_path / 'w')
  assert np.isfinite(model_files.answers(tmp_path / 'w')).all()


@pytest.mark.parametrize('notice', [None, 'LEAKY', 'SHUFFLED LABELS'])
def test_only_honest_scores_calibrate_the_model(notice):
  rng = np.random.default_rng(0)
  order = rng.permutation(40)
  label = rng.integers(0, 3, 40)
  p = rng.dirichlet(np.ones(3), (2, 40))
  # Two databases may both have somebody called 1: ten people, not five.
  subject = np.tile(np.arange(5).astype(str), 8)
  database = np.repeat(['samm', 'smic'], 20)
  job = types.SimpleNamespace(
    splits=[types.SimpleNamespace(test=part) for part in np.split(order, 2)],
    arrays={'label': label},
    source=types.SimpleNamespace(subject=subject, database=database),
  )
  fitted = [
    types.SimpleNamespace(held_out=[own[part] for part in np.split(order, 2)])
    for own in p
  ]
  found = save_model.calibration(job, fitted, {'notices': {notice: ''}})
  if notice:
    assert found == {}
    return
  people = np.char.add(database, subject)
  assert found['people'] == 10
  assert found['threshold'] == conformal.threshold(p.mean(0), label, people)
