"""A model's calibration, from rendered people to what the model answers."""

import json
import shutil
import threading

import numpy as np
import pytest
import rich.console

import mefnet_jax
from configs import mefnet_zero
from mefnet_jax.evaluation import conformal, temperature
from mefnet_jax.predict import motion_scores
from mefnet_jax.runs import errors
from mefnet_jax.training import calibrate, synthetic_model
from tests.fixtures import motion_maps

# Renders people and trains a model, which takes minutes on slow cores.
pytestmark = pytest.mark.slow
MAPS = motion_maps.stored(5)
CLIPS = {'face': MAPS[:, None]}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A tiny model, made by the command's own function."""
  workdir = tmp_path_factory.mktemp('calibrated')
  config = mefnet_zero.get_config('train')
  config.seeds = 2
  config.model.hidden = (8,)
  config.synthetic.update(
    conventions=('product',), people=32, held_out=32, steps=2
  )
  console = rich.console.Console(quiet=True)
  synthetic_model.make(config, workdir, console=console, stop=threading.Event())
  return workdir / 'model'


def test_answers_are_as_sure_as_the_calibration_says(folder):
  model = mefnet_jax.load(folder)
  found = model.description['calibration']
  assert found['people'] == found['shown']['people'] == 16
  assert 0 < found['threshold'] <= 1 and found['wanted'] == 0.9
  assert model.temperature == found['temperature'] != 1
  assert model.unit_calibration == found['units']
  assert {len(x) for x in found['units'].values()} == {19}
  worth = found['shown']['units']['mean']
  assert worth['f1'][1] > worth['f1'][0]
  logits = np.stack([logits for logits, _ in model.answers(CLIPS)])
  p = temperature.probabilities(logits, found['temperature'])
  np.testing.assert_allclose(model.probabilities(CLIPS), p, atol=1e-5)
  scores = motion_scores.score(model, MAPS[..., :2].astype(np.float32))
  np.testing.assert_allclose(scores.classes, p, atol=1e-5)
  np.testing.assert_array_equal(
    model.sets(CLIPS), conformal.sets(p, found['threshold'])
  )


def test_a_model_that_exists_is_calibrated_to_the_same(
  folder, tmp_path, capsys
):
  copy = shutil.copytree(folder, tmp_path / 'copy')
  whole = json.loads((copy / 'model.json').read_text())
  plain = {k: x for k, x in whole.items() if k != 'calibration'}
  (copy / 'model.json').write_text(json.dumps(plain))
  model = mefnet_jax.load(copy)
  assert model.temperature == 1
  with pytest.raises(errors.UserError, match='not calibrated'):
    model.sets(CLIPS)
  assert calibrate.main(['--model', str(copy)]) == 0
  assert 'further rendered people' in capsys.readouterr().out
  again = json.loads((copy / 'model.json').read_text())
  assert again['calibration'] == whole['calibration']


def test_other_models_cannot_be_calibrated_by_rendered_people(
  folder, tmp_path, capsys
):
  copy = shutil.copytree(folder, tmp_path / 'copy')
  whole = json.loads((copy / 'model.json').read_text())
  del whole['training']['held_out']
  (copy / 'model.json').write_text(json.dumps(whole))
  assert calibrate.main(['--model', str(copy)]) == 1
  assert 'not made from rendered people' in capsys.readouterr().err
