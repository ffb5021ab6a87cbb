"""When a class is unsure, and by which rule."""

import pytest

from mefnet_jax.predict import thresholds


@pytest.mark.parametrize(
  'chances, lacks, wanted',
  [
    ((0.6, 0.3, 0.1), 0.5, (False, 'conformal set')),  # only the first fits
    ((0.6, 0.3, 0.1), 0.7, (True, 'conformal set')),  # the second does too
    ((0.4, 0.35, 0.25), 0.2, (False, 'conformal set')),  # the first always is
    ((0.51, 0.49, 0.0), None, (False, 'probability')),
    ((0.4, 0.35, 0.25), None, (True, 'probability')),
    ((), 0.7, (False, '')),
  ],
)
def test_several_classes_in_the_set_are_unsure(chances, lacks, wanted):
  named = dict(zip('abc', chances, strict=False))
  assert thresholds.unsure(named, lacks, thresholds.CHOSEN) == wanted
