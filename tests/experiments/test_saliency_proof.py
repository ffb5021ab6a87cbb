"""The proof against the truth, on a tiny run: what it measures and says."""

import pathlib
import types

import numpy as np
import pytest

from experiments import proof_figures, saliency_proof
from mefnet_jax.explain import runs, truth
from mefnet_jax.runs import errors
from tests.fixtures import explained


@pytest.fixture(scope='module')
def run(tiny_run):
  return runs.load(tiny_run)


@pytest.mark.slow
def test_the_proof_measures_each_method_and_its_baselines(run, monkeypatch):
  chosen = ('gradient', 'integrated_gradients')
  monkeypatch.setattr(saliency_proof, 'METHODS', chosen)
  result = saliency_proof.measure(run, 'all')
  assert result['clips'] + result['left_out_blinking'] == 9
  found = result['measures']
  assert set(found) == {
    *chosen,
    'centre of the face',
    'uniform',
    'random order',
  }
  for name in chosen:
    for mean, low, high in found[name].values():
      assert low <= mean <= high
      assert 0 <= mean <= 1
  assert found['uniform']['energy'][0] == pytest.approx(result['moving_share'])
  assert result['completeness']['largest_gap'] < 0.05
  assert all(abs(found) < 0.5 for found, _ in result['randomisation'].values())
  text = proof_figures.table(result)
  assert text.startswith('SYNTHETIC')
  assert proof_figures.draw(result)[1:4] == b'PNG'


def test_without_truth_there_is_no_proof(tiny_smic, monkeypatch):
  run = types.SimpleNamespace(
    config=explained.tiny_config(tiny_smic),
    clips=types.SimpleNamespace(clip=('a', 'b'), label=np.array([0, 1])),
    held_out=np.zeros(2, int),
  )
  monkeypatch.setattr(truth, 'folder', lambda root: None)
  with pytest.raises(errors.UserError, match='no truth'):
    saliency_proof.measure(run, '2')


def test_a_map_of_the_true_motion_is_perfect():
  masks = np.zeros((2, 8, 8), bool)
  masks[:, 2:4, 2:4] = True
  time = np.zeros((2, 5))
  time[:, 2] = 1
  found = saliency_proof._against_truth(
    masks.astype(float), time, masks, np.array([0.5, 0.25])
  )
  assert found['pointing'].tolist() == [1, 1]
  assert found['energy'].tolist() == [1, 1]
  assert found['apex_error'].tolist() == [0, 0.25]


def test_a_truth_that_is_missing_is_one_line():
  with pytest.raises(errors.UserError, match='--truth'):
    truth.load(pathlib.Path('/nowhere'), 's01_ne_01')
