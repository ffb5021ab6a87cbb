"""Agreement of two annotators, against values worked out by hand."""

import pytest

from mefnet_jax.evaluation import agreement, spotting


def intervals(*rows):
  return [spotting.Interval('1', 'v', a, b, '', x) for a, b, x in rows]


def test_marks_pairs_and_classes():
  """Pairs: 11..20 with 12..21 (onset +1, offset +1), 31..40 with 31..45."""
  first = intervals((11, 20, 'a'), (31, 40, 'b'), (61, 70, 'a'))
  second = intervals((12, 21, 'a'), (31, 45, 'b'))
  found = agreement.measure([(first, second, 100)], within=3)
  assert (found['first'], found['second'], found['paired']) == (3, 2, 2)
  assert found['f1'] == pytest.approx(4 / 5)
  assert found['onset'] == {'share_within': 1.0, 'mean': 0.5}
  assert found['offset'] == {'share_within': 0.5, 'mean': 3.0}
  assert found['kappa'] == 1.0


def test_kappa_and_alpha_of_frames():
  """Ten frames, a on 1..4 against a on 1..2: 8 agree.

  Kappa: p_o = .8; shares of a .4 and .2, so p_e = .08 + .48 = .56 and kappa =
  .24 / .44. Alpha: D_o = .2; of 20 values 6 are a and 14 none, so D_e = 2 * 6 *
  14 / (20 * 19) = 168 / 380 and alpha = 1 - .2 * 380 / 168.
  """
  first, second = intervals((1, 4, 'a')), intervals((1, 2, 'a'))
  found = agreement.measure([(first, second, 10)])['frames']
  assert found['kappa'] == pytest.approx(0.24 / 0.44)
  assert found['alpha'] == pytest.approx(1 - 0.2 * 380 / 168)


def test_faces_and_videos_are_pooled_and_not_mixed():
  one = intervals((1, 4, 'a'))
  apart = agreement.measure([(one, [], 10), ([], one, 10)])
  assert apart['paired'] == 0 and apart['f1'] == 0
  assert apart['onset'] == {'share_within': None, 'mean': None}
  # 20 frames, of which 12 agree on nothing; p_o = .6, p_e = .04 + .64 = .68.
  assert apart['frames']['kappa'] == pytest.approx((0.6 - 0.68) / (1 - 0.68))


def test_what_is_not_defined_is_none():
  found = agreement.measure([([], [], 10)])
  assert found['f1'] is None and found['kappa'] is None
  assert found['frames'] == {'kappa': None, 'alpha': None}
