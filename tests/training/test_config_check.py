"""Configs that no run can follow are told before any work, in one line."""

import numba
import pytest

from configs import base, mefnet_flow
from mefnet_jax.ops import choice
from mefnet_jax.runs import errors, workdirs
from mefnet_jax.training import config_check


@pytest.mark.parametrize(
  ('field', 'value', 'words'),
  [
    ('model.kernel', (3, 3), ['model.kernel', 'rows, columns']),
    ('model.kernel', (19, 3, 3), ['19']),
    ('model.dropout', 1.0, ['dropout', 'below 1']),
    ('model.name', 'vgg', ['vgg', 'mfcnn']),
    ('train.decay', float('nan'), ['decay']),
    ('train.learning_rate', float('inf'), ['learning_rate', 'not finite']),
    ('train.epochs', 0, ['epochs', 'at least 1']),
    ('dataset.frames', 99999999, ['frames', 'below 1025']),
    ('protocol.name', 'loocv', ['loocv', 'loso']),
    ('train.kernels', 'gpu', ['kernels=gpu', 'auto, xla, cpu']),
    ('input', 'optic', ['optic', 'difference']),
  ],
)
def test_a_mistake_is_one_line(field, value, words):
  refused(base.get_config(), field, value, words)


@pytest.mark.parametrize(
  ('field', 'value', 'words'),
  [
    ('protocol.name', 'zero_shot', ['protocol.name=loso', 'training clips']),
    ('weights', '', ['--config.weights', 'mefnet-zero']),
    ('seeds', 9, ['seeds=9', 'set --config.seeds=1']),
    ('transfer.folds', 1, ['transfer.folds=1', 'at least 2']),
    ('train.selection', 'oracle', ['set --config.train.selection=last']),
    ('protocol.mistake', 'duplicates', ['set --config.protocol.mistake=none']),
  ],
)
def test_transfer_refuses_what_trains_whole_networks(field, value, words):
  refused(mefnet_flow.get_config('transfer'), field, value, words)


@pytest.mark.parametrize('field', ['detector', 'flow', 'registration'])
def test_preparation_is_checked_before_kernels_compile(monkeypatch, field):
  monkeypatch.setattr(config_check, 'choose_kernels', None)
  config = base.get_config()
  config.dataset[field] = 'odd'
  with pytest.raises(errors.UserError, match=f"dataset.{field}='odd': must be"):
    config_check.settle(config)


def refused(config, field, value, words):
  """One line says what is wrong with a field of a config that was fine."""
  config_check.check(config)
  config.update_from_flattened_dict({field: value})
  with pytest.raises(errors.UserError) as told:
    config_check.check(config)
  line = str(told.value)
  assert '\n' not in line
  for word in words:
    assert word in line


@pytest.fixture
def without_kernels(monkeypatch):
  """A machine on which the kernels cannot run."""
  monkeypatch.setattr(numba.config, 'DISABLE_JIT', True)
  choice.obstacle.cache_clear()
  yield
  choice.obstacle.cache_clear()


def test_a_run_keeps_to_the_kernels_that_it_began_with(
  tmp_path, without_kernels, monkeypatch
):
  """`auto` comes to what runs here, and that is what a resume compares."""
  began, goes_on = base.get_config(), base.get_config()
  said = config_check.choose_kernels(goes_on)
  assert goes_on.train.kernels == 'xla'
  assert said == 'xla (NUMBA_DISABLE_JIT is set)'
  monkeypatch.undo()
  choice.obstacle.cache_clear()
  assert config_check.choose_kernels(began) == 'cpu'
  assert began.train.kernels == 'cpu'
  workdirs.claim(began, tmp_path)
  (tmp_path / 'checkpoints').mkdir()
  with pytest.raises(errors.UserError, match="train.kernels: 'cpu', now 'xla'"):
    workdirs.claim(goes_on, tmp_path)


def test_the_log_says_why_kernels_cannot_run(without_kernels):
  """Only the first call knows that nobody asked for XLA."""
  config = base.get_config()
  assert config_check.settle(config) == 'xla (NUMBA_DISABLE_JIT is set)'
  assert config_check.choose_kernels(config) == 'xla'


def test_kernels_that_cannot_run_are_one_line(without_kernels):
  config = base.get_config()
  config.train.kernels = 'cpu'
  with pytest.raises(errors.UserError, match='NUMBA_DISABLE_JIT.*set auto'):
    config_check.choose_kernels(config)


def test_the_config_of_an_old_run_names_no_kernels():
  config = base.get_config()
  del config.train.kernels
  config.lock()
  config_check.choose_kernels(config)
  assert config.train.kernels in ('xla', 'cpu')
