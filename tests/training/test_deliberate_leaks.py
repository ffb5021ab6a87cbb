"""Mistakes made on purpose are what they say, and always called LEAKY."""

import dataclasses
import json

import numpy as np
import pytest

from configs import base
from mefnet_jax.evaluation import folds
from mefnet_jax.models import pixel_scaling
from mefnet_jax.runs import errors
from mefnet_jax.training import deliberate_leaks
from tests.fixtures import protocol_runs, stand_ins


@dataclasses.dataclass(frozen=True)
class _Clips:
  streams: dict
  clip: tuple
  subject: tuple
  database: tuple
  label: np.ndarray


@pytest.fixture
def case():
  """14 clips of 5 people, the third class the rarest, and their folds."""
  random = np.random.default_rng(0)
  label = np.array([0, 1, 0, 1, 0, 1, 2, 0, 1, 0, 1, 2, 0, 1])
  subject = tuple(f's{i % 5}' for i in range(14))
  made = _Clips(
    {'face': random.integers(0, 256, (14, 4, 6, 6, 1), np.uint8)},
    tuple(f'c{i}' for i in range(14)),
    subject,
    ('',) * 14,
    label,
  )
  config = base.get_config()
  config.protocol.folds = 3
  return (
    config,
    made,
    label,
    folds.make(config.protocol, label, subject, seed=0),
  )


def test_no_mistake_changes_nothing(case):
  config, *rest = case
  assert all(
    a is b
    for a, b in zip(deliberate_leaks.make(config, *rest), rest, strict=True)
  )
  assert deliberate_leaks.why_leaky(config.protocol) == ''


def test_duplicates_are_learnt_and_not_scored(case):
  config, clips, label, splits = case
  config.protocol.mistake = 'duplicates'
  doubled, labels, made = deliberate_leaks.make(config, clips, label, splits)
  assert doubled.clip[14:] == ('c6 again', 'c11 again')
  assert labels[14:].tolist() == [2, 2]
  for i, j in ((6, 14), (11, 15)):
    np.testing.assert_array_equal(
      doubled.streams['face'][i], doubled.streams['face'][j]
    )
  for old, new in zip(splits, made, strict=True):
    np.testing.assert_array_equal(old.test, new.test)
    assert set(new.train) == set(old.train) | {14, 15}


def test_tested_on_training_scores_everything_once(case):
  config, clips, label, splits = case
  config.protocol.mistake = 'tested_on_training'
  _, _, (fold,) = deliberate_leaks.make(config, clips, label, splits)
  assert fold.test.tolist() == list(range(14))
  np.testing.assert_array_equal(fold.train, splits[0].train)


@pytest.mark.parametrize('how', ['frames', 'difference'])
def test_statistics_see_the_clips_they_are_fitted_on_and_no_other(case, how):
  streams = case[1].streams
  fitted_on = np.arange(8)

  def scaled(streams, on):
    constants = pixel_scaling.constants(streams, on, how)
    return pixel_scaling.apply(streams, constants, how)['face']

  before = scaled(streams, fitted_on)
  other = streams['face'].copy()
  other[10] = 255 - other[10]
  after = scaled({'face': other}, fitted_on)
  kept = np.arange(14) != 10
  np.testing.assert_array_equal(before[kept], after[kept])
  everything = scaled({'face': other}, slice(None))
  assert (everything[kept] != after[kept]).any()
  if how == 'difference':
    assert (before[:, 0] == 128).all()
  else:
    z = (before[fitted_on].astype(float) - 128) / 32
    np.testing.assert_allclose(z.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(z.std(0), 1, atol=0.05)


@pytest.mark.parametrize('field', ['mistake', 'statistics'])
def test_unknown_mistakes_are_refused(case, field):
  protocol = case[0].protocol
  protocol[field] = 'typo'
  with pytest.raises(errors.UserError, match=f'protocol.{field}=typo'):
    deliberate_leaks.why_leaky(protocol)


KINDS = {
  'duplicates': ('mistake', 'identical clips on both sides'),
  'tested_on_training': ('mistake', 'same clip on both sides'),
  'all': ('statistics', 'normalisation fitted on held-out clips'),
  'folds': ('statistics', ''),
}


@pytest.mark.parametrize('name', KINDS)
def test_the_audit_of_a_run_names_the_mistake(
  name, tiny_smic, tmp_path, monkeypatch
):
  stand_ins.quicken(monkeypatch)
  config = protocol_runs.CONFIGS['mfcnn']()
  field, kind = KINDS[name]
  config.protocol[field] = name
  summary, said = protocol_runs.carried_out(config, tiny_smic, tmp_path / 'w')
  assert ('LEAKY' in said) == bool(kind)
  assert summary['clips'] == 9
  if kind:
    assert kind in summary['audit']['kinds']
  else:
    assert summary['audit']['leaks'] == []
    rows = (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines()
    assert len({json.loads(row)['fold'] for row in rows}) == 3
