"""A sweep chooses by validation clips alone; the zoo lists what ships."""

import json

import jax
import numpy as np
import pytest

from configs import base, mfcnn
from experiments import running, sweep, zoo
from mefnet_jax.models import from_config
from mefnet_jax.runs import errors, predictions
from mefnet_jax.training import config_check
from tests.fixtures import explained


def test_a_grid_is_every_combination():
  grid = ['train.learning_rate=1e-3,3e-3', 'model.kernel=(15,3,3),(9,3,3)']
  made = sweep.combinations(base.get_config(), grid)
  values = {(c.train.learning_rate, c.model.kernel) for c in made.values()}
  assert values == {
    (rate, kernel)
    for rate in (1e-3, 3e-3)
    for kernel in ((15, 3, 3), (9, 3, 3))
  }
  assert {c.train.selection for c in made.values()} == {'validation'}
  grid = ['model.fusion=late,intermediate']
  words = sweep.combinations(base.get_config(), grid)
  assert [c.model.fusion for c in words.values()] == ['late', 'intermediate']
  told = [sweep.values(variant, grid) for variant in words.values()]
  assert told == ['model.fusion=late', 'model.fusion=intermediate']


@pytest.mark.parametrize(
  ('grid', 'said'),
  [
    ([], 'say what'),
    (['train.speed=1'], 'no field train.speed'),
    (['train=1'], 'write FIELD=VALUE'),
    (['train.learning_rate=fast'], 'values like 0.001'),
    (['train.epochs=1.5'], 'epochs.*not of the type'),
    (['train.epochs=1,2,1'], 'a value is there twice'),
    (['train.epochs=1', 'train.epochs=2'], 'its field is there twice'),
    ([f'seed={",".join(map(str, range(65)))}'], 'at most 64'),
  ],
)
def test_a_grid_that_is_none_is_one_line(grid, said):
  with pytest.raises(errors.UserError, match=said):
    sweep.combinations(base.get_config(), grid)


def test_each_fold_takes_the_lowest_validation_loss():
  losses = {'a': {'f': 1.0, 'g': 0.3}, 'b': {'f': 0.5, 'g': np.inf}}
  assert sweep.choose(losses) == {'f': 'b', 'g': 'a'}


@pytest.mark.slow
def test_the_choice_never_looks_at_held_out_clips(tiny_smic, tmp_path):
  """Its predictions are, fold by fold, those of the variant it names."""
  config = explained.tiny_config(tiny_smic)
  config.train.update(evaluate_every=1, kernels='xla')
  variants = sweep.combinations(config, ['train.learning_rate=1e-3,3e-3'])
  running.run(variants, tmp_path)
  runs = {name: tmp_path / 'runs' / name for name in variants}
  losses = {name: sweep.validation_losses(run) for name, run in runs.items()}
  assert all(np.isfinite(x) for one in losses.values() for x in one.values())
  chosen = sweep.choose(losses)
  report = sweep.write_chosen(tmp_path, chosen, list(variants))
  found = predictions.read(tmp_path / 'chosen')
  for i, (clip, fold) in enumerate(zip(found.clip, found.fold, strict=True)):
    own = predictions.read(runs[chosen[fold]])
    at = own.clip.index(clip)
    np.testing.assert_allclose(
      found.probabilities[i], own.probabilities[at], rtol=1e-6
    )
  assert report['audit']['leaks'] == []
  kind = 'hyper-parameters chosen on held-out clips'
  assert kind in report['audit']['checked']
  facts = json.loads((tmp_path / 'chosen' / 'facts.json').read_text())
  assert facts['chosen']['hyper-parameters'] == 'validation'


def test_the_zoo_lists_every_config_with_its_cost(tmp_path):
  text = zoo.page(tmp_path, 'python -m experiments.zoo')
  assert '?' not in text
  for name in zoo.configs():
    assert f'configs/{name}.py' in text
  config = mfcnn.get_config()
  model = from_config.network(config, 3)
  made = jax.eval_shape(
    model.init, jax.random.key(0), config_check.shapes(config, model)
  )
  count = sum(leaf.size for leaf in jax.tree.leaves(made))
  (line,) = [x for x in text.splitlines() if '| `configs/mfcnn.py' in x]
  assert f'| {count:,} |' in line and 'not run' in line
  assert f'--config=configs/mfcnn.py --workdir={tmp_path}/mfcnn' in text


def test_a_shorter_training_is_not_the_run_of_a_shipped_config(monkeypatch):
  """Else two epochs would stand as the score of thirty."""
  config = mfcnn.get_config()
  config.update(seeds=5)
  config.dataset.release, config.train.kernels = '/elsewhere', 'cpu'
  report = {
    'config': json.loads(json.dumps(config.to_dict())),
    'dataset': 'smic',
    'seeds': [0, 1, 2, 3, 4],
    'notices': {'SYNTHETIC': ''},
    'metrics': {'uar': 0.8, 'uf1': 0.7},
    'intervals': {'uar': [0.7, 0.9]},
    'seconds': {'train': 76},
    'device': 'a processor',
  }
  monkeypatch.setattr(zoo, 'cost', lambda config: (7, 2.0))
  cells = zoo.row('mfcnn', mfcnn.get_config(), [report])
  assert cells[4:7] == ('smic, SYNTHETIC', '5', '0.800 [0.700, 0.900]')
  report['config']['train']['epochs'] = 2
  assert 'not run' in zoo.row('mfcnn', mfcnn.get_config(), [report])
