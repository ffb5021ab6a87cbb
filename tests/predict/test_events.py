"""Which way an expression went: what a face did before and after decides."""

import numpy as np
import pytest

from mefnet_jax.predict import events, expressions, merge_expressions, resample

_RATE = resample.RATE
# Brows that move up by a tenth of the eyes' distance.
_BROWS = np.zeros((28, 28, 2), np.float32)
_BROWS[2:5, 4:24, 1] = -0.1
_UNITS = {name: np.zeros(0) for name in ('p', 'level', 'side')}


class _Model:
  """Says of brows that rise, and of brows that fall, what it is told to.

  Args:
    rising, falling: probabilities of an expression and of a return.
  """

  classes, action_units, needs_squares, lacks = ('raised',), (), False, None

  def __init__(self, rising, falling):
    self._rising, self._falling = rising, falling

  def moments(self, maps):
    said = np.array([self._said(one) for one in maps])
    units = {name: np.zeros((len(maps), 0)) for name in _UNITS}
    return expressions.Moments(said[:, 0], said[:, 1], units)

  def answer(self, expression):
    forth, back = self._said(expression.middle)
    return expressions.Answer(forth, {'raised': 1.0}, 0.0, _UNITS, back)

  def _said(self, flow):
    gone = float((flow * _BROWS).sum() / (_BROWS**2).sum())
    if abs(gone) < 0.2:
      return 0.0, 0.0
    return self._rising if gone > 0 else self._falling


def _found(model, height, limits=None):
  """Events of a face whose brows are at `height` (cells,)."""
  extra = {'limits': limits} if limits else {}
  spotter = events.Spotter(model, flow=_flow, **extra)
  found = []
  for number, level in enumerate(height):
    cell = expressions.Cell(np.float32(level), np.zeros(3))
    found += spotter.push(number, cell)[1]
  return found + spotter.finish()[1]


def _flow(first, second):
  return (second - first) * _BROWS


def _brows(*times, seconds):
  """Heights (cells,): 0 at first, from one time to the next by turns 1 or 0,
  each change in a sixth of a second."""
  clock = np.arange(seconds * _RATE) / _RATE
  ramps = [np.clip((clock - time) * 6, 0, 1) for time in times]
  return sum(ramp * (-1) ** n for n, ramp in enumerate(ramps))


# Of raised brows it thinks as it may of somebody whose brows are low at rest.
_MISTAKEN = _Model(rising=(0.05, 0.92), falling=(0.95, 0.02))
_RIGHT = _Model(rising=(0.95, 0.02), falling=(0.05, 0.92))


@pytest.mark.parametrize('model', [_RIGHT, _MISTAKEN])
@pytest.mark.parametrize('times', [(3, 3.4), (5.5, 7)])
def test_brows_that_rise_from_rest_and_fall_again_are_an_expression(
  model, times
):
  (found,) = _found(model, _brows(*times, seconds=12))
  assert found.onset == pytest.approx(times[0], abs=0.1)
  assert found.offset == pytest.approx(times[1] + 1 / 6, abs=0.15)
  assert found.answer.confidence >= 0.95
  assert float((found.middle * _BROWS).sum()) > 0  # it is what begins


def test_what_is_seen_to_begin_and_end_is_believed_to_go_back():
  # The model misses the beginning, and sees the end.
  model = _Model(rising=(0.85, 0.0), falling=(0.0, 0.9))
  blind = _Model(rising=(0.5, 0.0), falling=(0.0, 0.9))
  height = _brows(3, 4, seconds=9)
  (whole,) = _found(model, height)
  assert _found(blind, height) == []  # not likely enough at its middle
  assert whole.onset == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize('model', [_RIGHT, _MISTAKEN])
def test_brows_that_rise_and_stay_after_a_long_rest_are_no_expression(model):
  assert _found(model, _brows(6, seconds=14)) == []


def test_an_expression_that_was_there_at_first_is_seen_to_end():
  height = 1 - _brows(2, seconds=10)
  (found,) = _found(_RIGHT, height)
  assert found.onset == 0
  assert found.offset == pytest.approx(2 + 1 / 6, abs=0.15)


def _event(onset, offset, gone, score=0.9):
  answer = expressions.Answer(0.9, {'raised': 1.0}, 0.0, _UNITS)
  middle = gone * _BROWS
  return expressions.Found(
    onset, onset + 0.1, offset, answer, 0.1, 0.0, middle, 0.0, score
  )


def test_an_end_that_is_likelier_than_its_beginning_is_still_an_end():
  begins, ends = _event(2, 3, 1, score=0.7), _event(2.8, 4, -1, score=0.99)
  assert merge_expressions.merged([ends, begins]) == [begins]


def test_of_two_that_overlap_and_go_one_way_the_likelier_stays():
  first, second = _event(2, 3, 1, score=0.7), _event(2.5, 4, 1, score=0.99)
  assert merge_expressions.merged([first, second]) == [second]
  assert merge_expressions.merged([second, first._replace(score=1.0)]) == [
    first._replace(score=1.0)
  ]
