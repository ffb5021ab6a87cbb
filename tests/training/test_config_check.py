"""Configs that no run can follow are told before any work, in one line."""

import pytest

from configs import base
from mefnet_jax.runs import errors
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
    ('input', 'optic', ['optic', 'difference']),
  ],
)
def test_a_mistake_is_one_line(field, value, words):
  config = base.get_config()
  config_check.check(config)
  config.update_from_flattened_dict({field: value})
  with pytest.raises(errors.UserError) as told:
    config_check.check(config)
  line = str(told.value)
  assert '\n' not in line
  for word in words:
    assert word in line
