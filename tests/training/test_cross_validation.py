"""Trainings of all members: blocks, choices, divergence, resuming."""

import contextlib
import copy
import dataclasses
import json
import shutil
import threading
import traceback

import cv2
import jax
import numpy as np
import pytest

from configs import base
from mefnet_jax.models import normalize
from mefnet_jax.runs import curves, errors, metrics_log, xla
from mefnet_jax.training import (
  compiled_steps,
  config_check,
  cross_validation,
  save_model,
)
from tests import house
from tests.fixtures import training_jobs

config = training_jobs.config  # a fixture


@pytest.fixture(scope='module')
def kept():
  """What `trained` has made in this module, by its seeds."""
  return {}


@pytest.fixture
def trained(config, clips, kept, tmp_path_factory):
  """The job and the result of some seeds, trained once for several tests."""
  config, clips = copy.deepcopy((config, clips))
  config.train.evaluate_every = 1

  def of(*seeds):
    if seeds not in kept:
      workdir = tmp_path_factory.mktemp('kept')
      job = training_jobs.job(config, clips, workdir)
      kept[seeds] = job, cross_validation.train_folds(job, seeds)
    return kept[seeds]

  return of


class AfterEpochs(threading.Event):
  """Is set after some epochs."""

  def __init__(self, epochs):
    super().__init__()
    self.epochs = epochs

  def is_set(self):
    self.epochs -= 1
    return self.epochs <= 0


def flat(fitted):
  return np.concatenate([p for one in fitted for p in one.held_out])


def test_blocks_train_the_same_members(config, clips, tmp_path, trained):
  """One by one where memory is short: said, and nothing else changes."""
  job, whole = trained(1, 0)
  config.train.update(memory=1e-6, evaluate_every=1)
  short = training_jobs.job(config, clips, tmp_path / 'short')
  parts = cross_validation.train_folds(short, (1, 0))
  assert 'do not fit' in short.console.file.getvalue()
  assert len(list((tmp_path / 'short' / 'checkpoints').glob('seed*'))) == 6
  np.testing.assert_allclose(flat(whole), flat(parts), atol=2e-3)
  rows = [metrics_log.read(one.workdir) for one in (job, short)]
  assert len(rows[0]) == len(rows[1])


def test_runs_of_equal_configs_share_their_programs(
  config, clips, tmp_path, monkeypatch
):
  """But not of another rate, a constant of the step, or of other devices."""
  devices = jax.local_devices()

  def step():
    made = training_jobs.job(config, clips, tmp_path / 'w')
    return compiled_steps.CompiledSteps(made, made.splits).step_all

  first, again = step(), step()
  assert first is again
  with monkeypatch.context() as patch:  # as after the devices began anew
    patch.setattr(jax, 'local_devices', lambda: devices[::-1])
    assert step() is not first
  config.train.learning_rate *= 2
  assert step() is not first


def test_a_seed_among_others_is_the_seed_alone(trained):
  (_, both), (_, alone) = trained(1, 0), trained(0)
  np.testing.assert_allclose(flat(both[1:]), flat(alone), atol=2e-3)
  assert not np.allclose(flat(both[:1]), flat(both[1:]), atol=1e-3)


@pytest.mark.parametrize(
  'choice',
  [
    'last',
    pytest.param('validation', marks=pytest.mark.slow),
    pytest.param('oracle', marks=pytest.mark.slow),
  ],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
  config, clips, tmp_path, trained, choice
):
  config.train.update(selection=choice, evaluate_every=1)
  if choice == 'last':
    job, whole = trained(1, 0)
  else:
    job = training_jobs.job(config, clips, tmp_path / 'whole')
    whole = cross_validation.train_folds(job, (1, 0))
  for _ in range(2):
    stopped = training_jobs.job(config, clips, tmp_path / 'parts')
    stopped.stop.set()
    with pytest.raises(errors.Stopped):
      cross_validation.train_folds(stopped, (1, 0))
  parts = cross_validation.train_folds(
    training_jobs.job(config, clips, tmp_path / 'parts'), (1, 0)
  )
  np.testing.assert_array_equal(flat(whole), flat(parts))
  assert [one.epochs for one in whole] == [one.epochs for one in parts]
  texts = [
    (folder / 'metrics.jsonl').read_text()
    for folder in (job.workdir, tmp_path / 'parts')
  ]
  assert texts[0] == texts[1]


def test_the_oracle_takes_the_epoch_of_the_best_score(config, clips, tmp_path):
  config.train.update(selection='oracle', evaluate_every=1, epochs=6)
  made = training_jobs.job(config, clips, tmp_path / 'w')
  (fitted,) = cross_validation.train_folds(made, (0,))
  rows = [
    r for r in metrics_log.read(tmp_path / 'w') if r['split'] == 'held-out'
  ]
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
  first = training_jobs.job(config, clips, tmp_path / 'a')
  before = cross_validation.train_folds(first, (0,))[0]
  rows = [
    r for r in metrics_log.read(tmp_path / 'a') if r['split'] == 'validation'
  ]
  for fold, epoch in zip(first.splits, before.epochs, strict=True):
    assert not set(fold.validation) & (set(fold.train) | set(fold.test))
    own = {r['epoch']: r['loss'] for r in rows if r['fold'] == fold.name}
    assert own[epoch] == min(own.values())
  for i in first.splits[0].test:
    clips['label'][i] = (clips['label'][i] + 1) % 3
  after = cross_validation.train_folds(
    training_jobs.job(config, clips, tmp_path / 'b', first.splits), (0,)
  )[0]
  assert after.epochs[0] == before.epochs[0]
  np.testing.assert_allclose(after.held_out[0], before.held_out[0], atol=1e-3)


def test_patience_ends_the_training(config, clips, tmp_path):
  config.train.update(
    selection='validation', evaluate_every=1, epochs=60, patience=2
  )
  fitted = cross_validation.train_folds(
    training_jobs.job(config, clips, tmp_path / 'w'), (0,)
  )[0]
  last = max(r['epoch'] for r in metrics_log.read(tmp_path / 'w'))
  assert max(fitted.epochs) <= last <= max(fitted.epochs) + 3 < 60


def test_a_diverged_fold_is_named_and_the_others_go_on(
  config, clips, tmp_path, monkeypatch
):
  """Fold 1 alone starts from a weight that is not finite."""
  begin = compiled_steps.CompiledSteps.initial

  def broken(self, seeds):
    state = jax.tree.map(np.array, self.plan.join(begin(self, seeds)))
    state.params['classes']['bias'][0, 0] = np.nan
    return self.place(state)

  monkeypatch.setattr(compiled_steps.CompiledSteps, 'initial', broken)
  config.train.evaluate_every = 1
  made = training_jobs.job(config, clips, tmp_path / 'w')
  (fitted,) = cross_validation.train_folds(made, (0,))
  assert fitted.diverged == {'fold1': 1}
  said = made.console.file.getvalue()
  assert said.count('DIVERGED') == 1 and 'fold1 of seed 0' in said
  among = clips['label'][made.splits[0].train]  # their shares are answered
  share = np.bincount(among, minlength=3) / len(among)
  found = fitted.held_out[0]
  np.testing.assert_allclose(found, np.tile(share, (len(found), 1)))
  for other in fitted.held_out[1:]:
    assert not np.allclose(other, other[:1])
  for line in (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines():
    json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize('choice', ['last', 'oracle'])
def test_what_diverges_in_the_last_step_is_named_too(
  config, clips, tmp_path, monkeypatch, choice
):
  """A finite loss, weights that are not: named, and no best epoch."""
  config.train.update(epochs=2, evaluate_every=1, selection=choice)
  train = compiled_steps.CompiledSteps.train_epoch

  def broken(self, state, seeds, epoch):
    state, sums = train(self, state, seeds, epoch)
    if epoch == 2:
      bias = state.params['classes']['bias']
      state.params['classes']['bias'] = bias * np.nan
    return state, sums

  monkeypatch.setattr(compiled_steps.CompiledSteps, 'train_epoch', broken)
  made = training_jobs.job(config, clips, tmp_path / 'w')
  (fitted,) = cross_validation.train_folds(made, (0,))
  names = {fold.name for fold in made.splits}
  if choice == 'oracle':
    assert fitted.epochs == [1, 1, 1] and not fitted.diverged
  else:
    assert fitted.diverged == dict.fromkeys(names, 2)
  rows = [
    r for r in metrics_log.read(tmp_path / 'w') if r['split'] == 'held-out'
  ]
  finite = {r['epoch']: np.isfinite(r['accuracy']) for r in rows}
  assert finite == {1: True, 2: False}


def test_the_weights_of_a_member_lie_where_it_says(trained):
  made, fitted = trained(1, 0)
  measured = normalize.measured(made.arrays, input_kind='difference')
  fold = made.splits[2]
  params = list(save_model.read_weights(made, fitted[1].weights))[2]
  batch = normalize.batch(
    jax.tree.map(np.asarray, measured), fold.test, input_kind='difference'
  )
  logits, _ = jax.jit(made.model.apply)({'params': params}, batch)
  np.testing.assert_allclose(
    jax.nn.softmax(logits), fitted[1].held_out[2], atol=1e-4
  )


def test_scale_by_the_training_clips_looks_at_no_other(
  config, clips, tmp_path, trained
):
  other = trained(0)[1][0]
  config.scale = 'train'
  before = cross_validation.train_folds(
    training_jobs.job(config, clips, tmp_path / 'a'), (0,)
  )[0]
  assert not np.allclose(before.held_out[0], other.held_out[0], atol=1e-4)
  measured = normalize.measured(clips, input_kind='frames')
  train = np.arange(9)
  mean, variance = normalize.training_moments(measured['moments'], train, {})[
    'face'
  ]
  np.testing.assert_allclose(mean, clips['face'][:9].mean(), rtol=1e-5)
  np.testing.assert_allclose(variance, clips['face'][:9].var(), rtol=1e-4)
  lacking = {'face_present': np.arange(14) % 2}
  found = normalize.training_moments(measured['moments'], train, lacking)[
    'face'
  ]
  np.testing.assert_allclose(found[0], clips['face'][1:9:2].mean(), rtol=1e-5)


def test_only_the_counted_files_call_the_gradient(
  config, clips, tmp_path, monkeypatch
):
  """What `house.TO_THE_GRADIENT` lists, beside what maps the step."""
  stack, gradient = [], jax.grad

  def watched(*args, **kwargs):
    stack.extend(frame.filename for frame in traceback.extract_stack())
    return gradient(*args, **kwargs)

  monkeypatch.setattr(jax, 'grad', watched)
  # A rate of its own: the program of another test would not be traced again.
  config.train.update(epochs=1, learning_rate=3e-3)
  cross_validation.train(training_jobs.job(config, clips, tmp_path / 'w'), (0,))
  ours = [path for path in house.FILES if str(path) in stack]
  maps = {
    house.PACKAGE / 'training/parallel.py',
    house.PACKAGE / 'ops/choice.py',
  }
  path = house.files_to_the_gradient()
  below = path[path.index(house.PACKAGE / 'training/cross_validation.py') :]
  assert set(ours) - maps == set(below)


@pytest.mark.parametrize('epochs', [1, 2])
def test_one_epoch_is_profiled_the_second_if_there_is_one(
  config, clips, tmp_path, monkeypatch, epochs
):
  asked = []

  def profiled(workdir, enabled):
    asked.append(enabled)
    return contextlib.nullcontext()

  def train_epoch(self, state, seeds, epoch):
    shape = len(seeds), len(self.splits)
    names = ('loss', 'weight', 'correct', 'clips')
    return state, dict.fromkeys(names, np.ones(shape))

  monkeypatch.setattr(xla, 'profiled', profiled)
  monkeypatch.setattr(compiled_steps.CompiledSteps, 'train_epoch', train_epoch)
  config.train.update(profile=True, epochs=epochs)
  cross_validation.train_folds(
    training_jobs.job(config, clips, tmp_path / 'w'), (0,)
  )
  assert asked == [epoch == epochs for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize('epochs', [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_profile_is_written(config, clips, tmp_path, epochs):
  config.train.update(profile=True, epochs=epochs)
  cross_validation.train_folds(
    training_jobs.job(config, clips, tmp_path / 'w'), (0,)
  )
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
    config_check.check(config)


def test_a_picture_reaches_tensorboard(tmp_path):
  image = np.zeros((8, 8, 3), np.uint8)
  png = cv2.imencode('.png', image)[1].tobytes()
  curves.add_image(tmp_path, 'confusion', png)
  (file,) = (tmp_path / 'tensorboard' / 'report').iterdir()
  assert b'confusion' in file.read_bytes()


@pytest.mark.parametrize(
  'harm',
  [
    'of another run',
    pytest.param('renamed', marks=pytest.mark.slow),
    pytest.param('beyond', marks=pytest.mark.slow),
  ],
)
def test_a_checkpoint_that_is_not_its_own_changes_nothing(
  config, clips, tmp_path, trained, harm
):
  """Whole, but of a run without class weights, or of another epoch."""
  whole = trained(0)[1]

  def stopped(workdir, epochs):
    made = training_jobs.job(config, clips, workdir)
    made = dataclasses.replace(made, stop=AfterEpochs(epochs))
    with pytest.raises(errors.Stopped, match=f'after epoch {epochs} of 3'):
      cross_validation.train_folds(made, (0,))
    return workdir / 'checkpoints' / 'seed0'

  mine = stopped(tmp_path / 'mine', 2)
  if harm == 'of another run':
    config.train.class_weights = False
    theirs = stopped(tmp_path / 'theirs', 2)
    config.train.class_weights = True
    shutil.rmtree(mine / '000002')
    shutil.copytree(theirs / '000002', mine / '000002')
  else:
    name = '000003' if harm == 'renamed' else '000099'
    (mine / '000002').rename(mine / name)
  made = training_jobs.job(config, clips, tmp_path / 'mine')
  (resumed,) = cross_validation.train_folds(made, (0,))
  said = ' '.join(made.console.file.getvalue().split())
  word = 'different config' if harm == 'of another run' else 'it was renamed'
  assert said.count(word) == 1
  assert 'resumes after epoch 1' in said
  np.testing.assert_array_equal(flat(whole), flat([resumed]))


def test_curves_of_another_run_are_refused(config, clips, tmp_path):
  """Rows that are valid, but not those that this training wrote."""
  config.train.epochs = 1

  def fitted(name):
    made = training_jobs.job(config, clips, tmp_path / name)
    (one,) = cross_validation.train_folds(made, (0,))
    return flat([one]), made.console.file.getvalue()

  expected, _ = fitted('w')
  path = tmp_path / 'w' / 'metrics.jsonl'
  whole = path.read_text()
  rows = whole.splitlines(keepends=True)
  row = json.loads(rows[0])
  for harm, words in (
    (rows + rows, 'not those of this training'),
    (rows[1:], 'not those of this training'),
    ([json.dumps(row | {'loss': 0.1}) + '\n', *rows[1:]], 'not those of this'),
    ([*rows, json.dumps(row | {'epoch': 9}) + '\n'], 'not those of this'),
    ([*rows, json.dumps(row | {'seed': 7}) + '\n'], 'other seeds or folds'),
    ([*rows, json.dumps(row | {'fold': 'x'}) + '\n'], 'other seeds or folds'),
  ):
    path.write_text(''.join(harm))
    with pytest.raises(errors.UserError, match=words) as said:
      fitted('w')
    assert str(path) in str(said.value)
  path.write_bytes(whole.replace('\n', '\r\n').encode())
  np.testing.assert_array_equal(fitted('w')[0], expected)
  path.unlink()  # as the message advises
  np.testing.assert_array_equal(fitted('w')[0], expected)
  (tmp_path / 'w' / 'checkpoints' / 'seed0.folds1-2').mkdir()
  assert 'seed0.folds1-2: of no block of' in fitted('w')[1]
