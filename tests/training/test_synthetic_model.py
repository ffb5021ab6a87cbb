"""From rendered heads to weights, and their scores on maps never seen."""

import csv
import dataclasses
import functools
import io
import json
import pathlib
import shutil
import threading

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rich.console

import mefnet_jax
from configs import mefnet_flow, mefnet_zero
from mefnet_jax import protocol
from mefnet_jax.audit import audit, evidence
from mefnet_jax.models import from_config
from mefnet_jax.report import figures
from mefnet_jax.runs import errors
from mefnet_jax.synthetic import motion_basis
from mefnet_jax.training import (
  config_check,
  synthetic_calibration,
  synthetic_maps,
  synthetic_model,
  synthetic_training,
)
from tests.fixtures import motion_maps, releases, stand_ins

tiny_flow = releases.tiny_flow  # a fixture
undrawn = stand_ins.without_figures  # a fixture
QUIET = rich.console.Console(quiet=True)


def tiny(variant):
  config = mefnet_zero.get_config(variant)
  config.seeds = 2
  config.model.hidden = (8,)
  config.synthetic.update(
    conventions=('product',), people=32, held_out=32, steps=2
  )
  return config


@pytest.mark.parametrize('field', ['people', 'held_out'])
def test_fewer_people_than_a_batch_shows_are_one_line(field, tmp_path):
  config = tiny('train')
  config.synthetic[field] = 31
  with pytest.raises(errors.UserError, match=f'synthetic.{field}=31: at least'):
    synthetic_model.make(config, tmp_path, console=QUIET, stop=None)


@pytest.fixture(scope='module')
def asked():
  """Numbers of the people that were asked for, by their place in the code.

  Two stand for all of them: each that is rendered takes half a second.
  """
  load, numbers = motion_basis.load, []

  def two(convention, *, seed, count, first=0, processes=1):
    numbers.append(range(first, first + count))
    basis = load(convention, seed=seed, count=2, processes=processes)
    who = np.arange(count) % 2
    flow, scale = basis.flow[who], basis.scale[who]
    return dataclasses.replace(basis, flow=flow, scale=scale)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(motion_basis, 'load', two)
    yield numbers


@pytest.fixture(scope='module')
def trained(asked, tmp_path_factory):
  """The folder of a tiny model, made by the command's own function."""
  workdir = tmp_path_factory.mktemp('trained')
  config = tiny('train')
  config_check.check(config)
  with pytest.MonkeyPatch.context() as patch:  # few batches to test on
    patch.setattr(synthetic_model, '_TESTS', 2)
    patch.setattr(synthetic_calibration, '_UNIT_TESTS', 4)
    synthetic_model.make(config, workdir, console=QUIET, stop=threading.Event())
  return workdir / 'model'


def test_nobody_is_learnt_from_who_is_held_out(trained, asked):
  learnt, held_out = asked[:2]
  assert len(learnt) == len(held_out) == 32
  assert not set(learnt) & set(held_out)


@pytest.fixture(scope='module')
def scored(trained, tiny_flow, tmp_path_factory):
  """The workdir of its zero-shot run on a rendered release, and the report."""
  root = tmp_path_factory.mktemp('scored')
  config = tiny('score')
  config.dataset.release = str(tiny_flow)
  config.weights = str(trained)
  config_check.check(config)
  text = io.StringIO()
  (root / 'w').mkdir()
  console = rich.console.Console(file=text, width=100)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(figures, 'draw', stand_ins.undrawn)
    summary = protocol.run(
      config, root / 'w', console=console, stop=threading.Event()
    )
  return root / 'w', summary, text.getvalue()


def test_the_model_says_what_it_has_seen(trained):
  model = mefnet_jax.load(trained)
  said = model.description
  assert model.synthetic and said['training']['real_clips'] == 0
  assert said['training']['generator'] == synthetic_maps.generator_digest()
  assert model.members == (('zero_shot', 0), ('zero_shot', 1))
  assert model.classes == ('negative', 'positive', 'surprise')
  assert set(said['units']) == {f'AU{unit:02d}' for unit in synthetic_maps.AUS}
  maps = motion_maps.stored(3)[:, None]
  p = model.probabilities({'face': maps})
  np.testing.assert_allclose(p.sum(1), 1)
  np.testing.assert_allclose(
    p, model.probabilities({'face': maps // 2 + 60}), atol=0.05
  )


def drawn(people, key, settings):
  """In place of `synthetic_maps.batch`, whose programs take seconds each."""
  keys = jax.random.split(key, 3)
  count, side = settings.maps, synthetic_maps.SIDE
  shown = jax.random.bernoulli(keys[0], 0.5, (3, count))
  return {
    'maps': jax.random.normal(keys[1], (count, side, side, 2)),
    'scale': jnp.ones(count),
    'label': jnp.arange(count) % 3,
    **dict(zip(('named', 'idle', 'returning'), shown, strict=True)),
    'level': jax.random.uniform(keys[2], (count, len(synthetic_maps.AUS), 2)),
    'coded': jnp.ones(count),
  }


def test_a_member_is_itself_again_and_among_others(monkeypatch):
  monkeypatch.setattr(synthetic_maps, 'batch', drawn)
  train = functools.partial(
    synthetic_training.train,
    from_config.network(tiny('train'), 3),
    {},
    recipe=synthetic_training.Recipe(steps=2),
    settings=synthetic_maps.Settings(maps=8),
  )
  both, again = (train((4, 5)) for _ in range(2))
  jax.tree.map(np.testing.assert_array_equal, both, again)
  (alone,) = train((4,))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), both[0], alone
  )
  kernels = [one['head']['kernel'] for one in both]
  assert abs(kernels[0] - kernels[1]).max() > 0.01


def test_a_zero_shot_run_holds_every_clip_out_and_says_so(scored):
  workdir, summary, said = scored
  assert summary['protocol'] == 'zero_shot' and summary['folds'] == 1
  assert 'ZERO-SHOT' in summary['notices'] and 'ZERO-SHOT' in said
  for name in ('report.html', 'model_card.md'):
    assert 'ZERO-SHOT' in (workdir / name).read_text()
  folds = json.loads((workdir / 'folds.json').read_text())['folds']
  assert [fold['train'] for fold in folds] == [[]]
  assert len(folds[0]['test']) == summary['clips']
  found = audit.find(evidence.from_run(workdir))
  assert found['leaks'] == []
  assert 'real clips in zero-shot training' in found['checked']
  assert mefnet_jax.load(workdir).members == (
    ('zero_shot', 0),
    ('zero_shot', 1),
  )


def test_transfer_is_an_ordinary_run_without_a_leak(
  trained, scored, tiny_flow, tmp_path, undrawn
):
  config = mefnet_flow.get_config('transfer')
  config.dataset.release = str(tiny_flow)
  config.weights = str(trained)
  config.model.hidden = (8,)
  config_check.check(config)
  summary = protocol.run(
    config, tmp_path, console=QUIET, stop=threading.Event()
  )
  assert summary['protocol'] == 'loso' and summary['folds'] == 6
  found = audit.find(evidence.from_run(tmp_path))
  assert found['leaks'] == []
  kind = 'hyper-parameters chosen on held-out clips'
  assert kind in found['checked']
  facts = json.loads((tmp_path / 'facts.json').read_text())
  chosen = facts['chosen']['hyper-parameters']
  # One tested clip among those of the choice would be found.
  chosen[next(iter(chosen))] = [clip for row in chosen.values() for clip in row]
  (tmp_path / 'facts.json').write_text(json.dumps(facts))
  assert audit.find(evidence.from_run(tmp_path))['kinds'] == [kind]
  assert not (tmp_path / 'model').exists()
  cards = [(w / 'model_card.md').read_text() for w in (tmp_path, scored[0])]
  assert 'for each fold a head' in cards[0] and '"epochs"' not in cards[0]
  assert 'Training: none here' in cards[1]


def test_a_release_of_images_is_scored_as_motion_maps(
  trained, tiny_smic, tmp_path, undrawn
):
  root = shutil.copytree(  # two of three people: a clip takes a second
    tiny_smic, tmp_path / 'smic', ignore=shutil.ignore_patterns('s1')
  )
  config = tiny('score')
  config.dataset.name, config.dataset.release = 'smic', str(root)
  config.weights = str(trained)
  config_check.check(config)
  (tmp_path / 'w').mkdir()
  summary = protocol.run(
    config, tmp_path / 'w', console=QUIET, stop=threading.Event()
  )
  assert summary['dataset'] == 'smic' and summary['protocol'] == 'zero_shot'
  with open(tmp_path / 'w' / 'action_units.csv') as file:
    assert len(list(csv.DictReader(file))) == summary['clips'] > 4


@pytest.mark.parametrize(
  'order, said',
  [((2, 1, 0), 'strain, v, u'), ((1, 0, 2), 'u and v are exchanged')],
  ids=['BGR', 'v first'],
)
def test_maps_in_another_order_are_not_scored_in_silence(
  order, said, trained, tiny_flow, tmp_path
):
  wrong = pathlib.Path(shutil.copytree(tiny_flow, tmp_path / 'maps'))
  for file in wrong.rglob('*.png'):
    image = cv2.imread(str(file))[..., ::-1]  # u, v, strain
    cv2.imwrite(str(file), image[..., order][..., ::-1])
  config = tiny('score')
  config.dataset.release, config.weights = str(wrong), str(trained)
  workdir = tmp_path / 'w'
  workdir.mkdir()
  with pytest.raises(errors.UserError, match=said):
    protocol.run(config, workdir, console=QUIET, stop=threading.Event())
  assert said in (workdir / 'findings.csv').read_text()
  assert not (workdir / 'predictions.csv').exists()


def test_predictions_are_the_mean_of_the_members(scored, trained):
  workdir, summary, _ = scored
  with open(workdir / 'predictions.csv') as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == summary['clips']
  assert {row['fold'] for row in rows} == {'zero_shot'}
  parts = [float(rows[0][f'prob_{name}']) for name in summary['classes']]
  assert sum(parts) == pytest.approx(1, abs=1e-4)


def test_action_units_stand_beside_the_predictions(scored):
  workdir, summary, _ = scored
  with open(workdir / 'action_units.csv') as file:
    rows = list(csv.DictReader(file))
  assert list(rows[0])[:5] == [
    'clip',
    'subject',
    'AU01_p',
    'AU01_level',
    'AU01_side',
  ]
  assert len(rows) == summary['clips']
  assert len(rows[0]) == 2 + 3 * len(synthetic_maps.AUS)
  for row in rows:
    assert 0 < float(row['AU12_p']) < 1 and -1 <= float(row['AU12_side']) <= 1


@pytest.fixture
def copied(scored, tmp_path):
  return shutil.copytree(scored[0], tmp_path / 'copy')


def test_the_audit_finds_real_clips_in_the_training(copied):
  table = copied / 'folds.csv'
  rows = table.read_text().splitlines()
  table.write_text(
    '\n'.join([*rows, rows[1].replace(',test', ',train')]) + '\n'
  )
  kinds = audit.find(evidence.from_run(copied))['kinds']
  assert 'real clips in zero-shot training' in kinds


def test_the_audit_believes_no_weights_that_have_seen_real_clips(copied):
  path = copied / 'model' / 'model.json'
  description = json.loads(path.read_text())
  description['training']['real_clips'] = 5
  path.write_text(json.dumps(description))
  kinds = audit.find(evidence.from_run(copied))['kinds']
  assert kinds == ['real clips in zero-shot training']
  shutil.rmtree(copied / 'model')
  kinds = audit.find(evidence.from_run(copied))['kinds']
  assert kinds == ['real clips in zero-shot training']


def test_the_audit_refuses_weights_that_are_not_those_of_the_model(copied):
  file = copied / 'model' / 'seed0.safetensors'
  content = bytearray(file.read_bytes())
  content[-1] ^= 1
  file.write_bytes(content)
  with pytest.raises(errors.UserError, match='SHA-256'):
    evidence.from_run(copied)


@pytest.mark.parametrize(
  'field, value, said',
  [
    ('train.selection', 'validation', 'train.selection=last'),
    ('protocol.mistake', 'duplicates', 'protocol.mistake=none'),
    ('protocol.statistics', 'folds', 'protocol.statistics=clip'),
  ],
)
def test_options_that_need_training_clips_are_refused(field, value, said):
  config = tiny('score')
  config.update_from_flattened_dict({field: value})
  with pytest.raises(errors.UserError, match=said):
    config_check.check(config)
