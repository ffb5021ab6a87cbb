"""Sides of action units: what is rendered, and how answers are counted."""

import numpy as np
import pytest

from experiments import serving_table, sides


def test_one_side_moves_one_half_of_the_face_units():
  level = np.array([0.0, 1.0, 0.0])
  left, right, both = (sides._weights(6, side, level) for side in (1, -1, 0))
  assert set(left) == {'cheekSquintLeft', 'eyeSquintLeft'}
  assert set(right) == {'cheekSquintRight', 'eyeSquintRight'}
  assert set(both) == {*left, *right}
  np.testing.assert_array_equal(left['eyeSquintLeft'], 0.35 * level)


def test_sides_are_counted_by_their_sign_and_size(monkeypatch):
  monkeypatch.setattr(serving_table, '_DRAWS', 50)
  rows = [
    (who, unit, side)
    for who in (0, 1)
    for unit in sides.UNITS
    for side in sides.SIDES
  ]
  units = (1, *sides.UNITS)
  said = np.zeros((len(rows), len(units)))
  for k, (who, unit, side) in enumerate(rows):
    # Of the second person the left side is taken for the right, a little.
    own = -0.2 if who == 1 and side == 1 else 0.9 * side
    said[k, units.index(unit)] = own
  made = sides.measure(units, rows, {'side': said})
  for name in ('AU04', 'all'):
    own = {key: value[0] for key, value in made[name].items()}
    shares = {name: own[name] for name in ('right', 'told', 'both', 'auc')}
    assert shares == {'right': 0.75, 'told': 0.75, 'both': 1.0, 'auc': 1.0}
    assert own['alone'] == pytest.approx(0.625) and own['alike'] == 0
  assert made['all']['right'][1:] == pytest.approx([0.5, 1.0])
