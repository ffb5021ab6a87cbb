"""Runs as the engine makes them: blocks, choices, divergence, resuming."""

import io
import json
import threading

import cv2
import jax
import numpy as np
import pytest
import rich.console

from configs import base, base_cnn
from mefnet_jax import (
  engine,
  errors,
  fit,
  folds,
  inputs,
  logs,
  settings,
  validation,
)


@pytest.fixture
def config():
  """The base network, small: an epoch takes no time."""
  made = base_cnn.get_config()
  made.dataset.update(frames=9, face=16)
  made.model.update(filters=4, kernel=(5, 3, 3), hidden=(8,))
  made.protocol.folds = 3
  made.train.update(
    epochs=3, batch_size=8, checkpoint_every=1, learning_rate=1e-2
  )
  return made


def job(config, clips, workdir, splits=None):
  workdir.mkdir(exist_ok=True)
  if splits is None:
    subject = np.array([f's{i % 5}' for i in range(14)])
    splits = folds.make(config.protocol, clips['label'], subject, seed=0)
    if config.train.selection == 'validation':
      splits = validation.set_aside(
        splits, clips['label'], subject, share=0.3, seed=0
      )
  return fit.Job(
    model=settings.network(config, 3),
    clips={k: clips[k] for k in ('face', 'label')},
    splits=splits,
    config=config,
    workdir=workdir,
    fingerprint='x',
    console=rich.console.Console(file=io.StringIO(), width=200),
    stop=threading.Event(),
  )


def flat(fitted):
  return np.concatenate([p for one in fitted for p in one.held_out])


def test_blocks_train_the_same_members(config, clips, tmp_path):
  """One by one where memory is short: said, and nothing else changes."""
  config.protocol.folds = 2
  whole = fit.fit(job(config, clips, tmp_path / 'whole'), (0, 1))
  config.train.memory = 1e-6
  short = job(config, clips, tmp_path / 'short')
  parts = fit.fit(short, (0, 1))
  assert 'do not fit' in short.console.file.getvalue()
  assert len(list((tmp_path / 'short' / 'checkpoints').glob('seed*'))) == 4
  np.testing.assert_allclose(flat(whole), flat(parts), atol=2e-3)
  rows = [logs.read(tmp_path / name) for name in ('whole', 'short')]
  assert len(rows[0]) == len(rows[1])


def test_a_seed_among_others_is_the_seed_alone(config, clips, tmp_path):
  both = fit.fit(job(config, clips, tmp_path / 'both'), (0, 1))
  alone = fit.fit(job(config, clips, tmp_path / 'alone'), (1,))
  np.testing.assert_allclose(flat(both[1:]), flat(alone), atol=2e-3)
  assert not np.allclose(flat(both[:1]), flat(both[1:]), atol=1e-3)


@pytest.mark.parametrize(
  'choice',
  ['last', 'validation', pytest.param('oracle', marks=pytest.mark.slow)],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
  config, clips, tmp_path, choice
):
  config.train.update(selection=choice, evaluate_every=1, epochs=3)
  whole = fit.fit(job(config, clips, tmp_path / 'whole'), (0, 1))
  for _ in range(2):
    stopped = job(config, clips, tmp_path / 'parts')
    stopped.stop.set()
    with pytest.raises(errors.Stopped):
      fit.fit(stopped, (0, 1))
  parts = fit.fit(job(config, clips, tmp_path / 'parts'), (0, 1))
  np.testing.assert_array_equal(flat(whole), flat(parts))
  assert [one.epochs for one in whole] == [one.epochs for one in parts]
  texts = [
    (tmp_path / name / 'metrics.jsonl').read_text()
    for name in ('whole', 'parts')
  ]
  assert texts[0] == texts[1]


def test_the_oracle_takes_the_epoch_of_the_best_score(config, clips, tmp_path):
  config.train.update(selection='oracle', evaluate_every=1, epochs=6)
  made = job(config, clips, tmp_path / 'w')
  (fitted,) = fit.fit(made, (0,))
  rows = [r for r in logs.read(tmp_path / 'w') if r['split'] == 'held-out']
  for fold, epoch, p in zip(
    made.splits, fitted.epochs, fitted.held_out, strict=True
  ):
    own = {r['epoch']: r['accuracy'] for r in rows if r['fold'] == fold.name}
    assert own[epoch] == max(own.values())
    right = (p.argmax(1) == clips['label'][fold.test]).mean()
    np.testing.assert_allclose(right, own[epoch], atol=1e-6)


def test_validation_chooses_without_the_held_out_clips(config, clips, tmp_path):
  """Other held-out labels: the same epochs, the same answers."""
  config.train.update(selection='validation', evaluate_every=1, epochs=5)
  first = job(config, clips, tmp_path / 'a')
  before = fit.fit(first, (0,))[0]
  rows = [r for r in logs.read(tmp_path / 'a') if r['split'] == 'validation']
  for fold, epoch in zip(first.splits, before.epochs, strict=True):
    assert not set(fold.validation) & (set(fold.train) | set(fold.test))
    own = {r['epoch']: r['loss'] for r in rows if r['fold'] == fold.name}
    assert own[epoch] == min(own.values())
  only = first.splits[:1]
  for i in only[0].test:
    clips['label'][i] = (clips['label'][i] + 1) % 3
  after = fit.fit(job(config, clips, tmp_path / 'b', only), (0,))[0]
  assert after.epochs == before.epochs[:1]
  np.testing.assert_allclose(after.held_out[0], before.held_out[0], atol=1e-3)


def test_patience_ends_the_training(config, clips, tmp_path):
  config.train.update(
    selection='validation', evaluate_every=1, epochs=60, patience=2
  )
  fitted = fit.fit(job(config, clips, tmp_path / 'w'), (0,))[0]
  last = max(r['epoch'] for r in logs.read(tmp_path / 'w'))
  assert max(fitted.epochs) <= last <= max(fitted.epochs) + 3 < 60


def test_a_diverged_fold_is_named_and_the_others_go_on(
  config, clips, tmp_path, monkeypatch
):
  """Fold 1 alone starts from a weight that is not finite."""
  begin = engine.Engine.initial

  def broken(self, seeds):
    state = jax.tree.map(np.array, self.plan.join(begin(self, seeds)))
    state.params['classes']['bias'][0, 0] = np.nan
    return self.place(state)

  monkeypatch.setattr(engine.Engine, 'initial', broken)
  splits = tuple(
    folds.Fold(f'fold{i}', np.arange(9), np.arange(9, 13), np.zeros(0, int))
    for i in (1, 2)
  )
  made = job(config, clips, tmp_path / 'w', splits)
  (fitted,) = fit.fit(made, (0,))
  assert fitted.diverged == {'fold1': 1}
  said = made.console.file.getvalue()
  assert said.count('DIVERGED') == 1 and 'fold1 of seed 0' in said
  share = np.full(3, 1 / 3)
  np.testing.assert_allclose(fitted.held_out[0], np.tile(share, (4, 1)))
  assert not np.allclose(fitted.held_out[1], fitted.held_out[1][:1])
  for line in (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines():
    json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize('choice', ['last', 'oracle'])
def test_what_diverges_in_the_last_step_is_named_too(
  config, clips, tmp_path, monkeypatch, choice
):
  """A finite loss, weights that are not: named, and no best epoch."""
  config.train.update(epochs=2, evaluate_every=1, selection=choice)
  train = engine.Engine.epoch

  def broken(self, state, seeds, epoch):
    state, sums = train(self, state, seeds, epoch)
    if epoch == 2:
      bias = state.params['classes']['bias']
      state.params['classes']['bias'] = bias * np.nan
    return state, sums

  monkeypatch.setattr(engine.Engine, 'epoch', broken)
  made = job(config, clips, tmp_path / 'w')
  (fitted,) = fit.fit(made, (0,))
  names = {fold.name for fold in made.splits}
  if choice == 'oracle':
    assert fitted.epochs == [1, 1, 1] and not fitted.diverged
  else:
    assert fitted.diverged == dict.fromkeys(names, 2)
  rows = [r for r in logs.read(tmp_path / 'w') if r['split'] == 'held-out']
  finite = {r['epoch']: np.isfinite(r['accuracy']) for r in rows}
  assert finite == {1: True, 2: False}


def test_the_weights_of_a_member_give_its_answers(config, clips, tmp_path):
  made = job(config, clips, tmp_path / 'w')
  fitted = fit.fit(made, (0, 1))
  measured = inputs.measured(made.clips, how='difference')
  fold = made.splits[2]
  params_F, answers = fit.trained(tmp_path / 'w', made.model, measured, 1)
  params = jax.tree.map(lambda x: x[2], params_F)
  np.testing.assert_array_equal(answers[2], fitted[1].held_out[2])
  batch = inputs.batch(
    jax.tree.map(np.asarray, measured), fold.test, how='difference'
  )
  logits, _ = made.model.apply({'params': params}, batch, train=False)
  np.testing.assert_allclose(
    jax.nn.softmax(logits), fitted[1].held_out[2], atol=1e-4
  )
  with pytest.raises(errors.UserError, match='seed 7'):
    fit.trained(tmp_path / 'w', made.model, measured, 7)


def test_scale_by_the_training_clips_looks_at_no_other(config, clips, tmp_path):
  config.scale = 'train'
  before = fit.fit(job(config, clips, tmp_path / 'a'), (0,))[0]
  config.scale = 'clip'
  other = fit.fit(job(config, clips, tmp_path / 'b'), (0,))[0]
  assert not np.allclose(before.held_out[0], other.held_out[0], atol=1e-4)
  measured = inputs.measured(clips, how='frames')
  train = np.arange(9)
  mean, variance = inputs.of_training(measured['moments'], train, {})['face']
  np.testing.assert_allclose(mean, clips['face'][:9].mean(), rtol=1e-5)
  np.testing.assert_allclose(variance, clips['face'][:9].var(), rtol=1e-4)
  lacking = {'face_present': np.arange(14) % 2}
  found = inputs.of_training(measured['moments'], train, lacking)['face']
  np.testing.assert_allclose(found[0], clips['face'][1:9:2].mean(), rtol=1e-5)


@pytest.mark.parametrize('epochs', [1, 2])
def test_a_profile_is_written(config, clips, tmp_path, epochs):
  config.train.update(profile=True, epochs=epochs)
  fit.fit(job(config, clips, tmp_path / 'w'), (0,))
  assert list((tmp_path / 'w' / 'profile').rglob('*.xplane.pb'))


@pytest.mark.parametrize(
  ('path', 'value', 'words'),
  [
    ('train.selection', 'best', 'oracle'),
    ('train.sampling', 'often', 'balanced'),
    ('train.sampling', 'balanced', 'class_weights=False'),
    ('train.patience', 3, 'selection=validation'),
    ('augment.flip', 1.5, 'share'),
    ('augment.shift', 1.0, 'below 1'),
    ('scale', 'dataset', 'train'),
    ('seed', 2**40, 'below'),
    ('seeds', 10**6, 'below'),
    ('dataset.face', 10**5, 'below'),
    ('protocol.folds', 1, 'at least 2'),
    ('protocol.mistake', 'odd', 'duplicates'),
    ('protocol.statistics', 'odd', 'folds'),
    ('train.memory', -1.0, 'at least 0'),
  ],
)
def test_wrong_options_are_one_line(path, value, words):
  config = base.get_config()
  config.update_from_flattened_dict({path: value})
  with pytest.raises(errors.UserError, match=words):
    settings.check(config)


def test_a_picture_reaches_tensorboard(tmp_path):
  image = np.zeros((8, 8, 3), np.uint8)
  png = cv2.imencode('.png', image)[1].tobytes()
  logs.picture(tmp_path, 'confusion', png)
  (file,) = (tmp_path / 'tensorboard' / 'report').iterdir()
  assert b'confusion' in file.read_bytes()
