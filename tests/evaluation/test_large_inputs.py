"""Time grows as the input, not as its square; processor time, not a clock's."""

import math
import time

import numpy as np
import pytest
from scipy import optimize

from mefnet_jax.datasets.annotate import choice
from mefnet_jax.evaluation import intervals, metrics, paired_tests, spotting
from mefnet_jax.runs import errors

MOST = 30.0  # seconds; what grew as the square took minutes


@pytest.fixture(autouse=True)
def in_time():
  began = time.process_time()
  yield
  assert time.process_time() - began < MOST


def interval(onset, offset, who='s', label='a'):
  return spotting.Interval(who, f'{who} v', onset, offset, 'micro', label)


def whole_table(truths, events, frames):
  """The matching over the whole table, (pairs, sum of overlaps)."""
  table = np.array(
    [[spotting.overlap(a, b, frames=frames) for b in events] for a in truths]
  )
  allowed = table >= spotting.LEAST_OVERLAP - 1e-9
  worth = np.where(allowed, min(table.shape) + 1 + table, 0)
  rows, columns = optimize.linear_sum_assignment(worth, maximize=True)
  pairs = [p for p in zip(rows, columns, strict=True) if allowed[p]]
  return len(pairs), sum(table[p] for p in pairs)


@pytest.mark.parametrize('frames', [True, False])
def test_parts_are_matched_as_the_whole(frames):
  rng = np.random.default_rng(0)
  for _ in range(40):
    some = []
    for count in rng.integers(1, 12, 2):
      onset = rng.integers(0, 60, count)
      length = rng.integers(0, 20, count)
      scale = 1 if frames else 0.1
      some.append(
        [
          interval(a * scale, (a + b) * scale)
          for a, b in zip(onset.tolist(), length.tolist(), strict=True)
        ]
      )
    pairs = spotting.match(*some, frames=frames)
    total = sum(
      spotting.overlap(some[0][i], some[1][j], frames=frames) for i, j in pairs
    )
    expected = whole_table(*some, frames)
    assert (len(pairs), pytest.approx(total)) == expected


def test_a_video_of_100_000_events():
  truths = [interval(200 * i, 200 * i + 9) for i in range(1000)]
  events = [interval(2 * i, 2 * i + 9) for i in range(100_000)]
  pairs = spotting.match(truths, events, frames=True)
  assert pairs == [(i, 100 * i) for i in range(1000)]


def test_20_000_videos_each_of_a_subject_of_its_own():
  some = [interval(1, 9, who=f's{i}') for i in range(20_000)]
  counted = spotting.count(some, [], frames=True)
  assert counted.spotted[:, 3, 1].tolist() == [1] * 20_000


def test_labels_that_are_no_classes_are_one_line():
  """10,000 of them would take 8 TB."""
  some = [interval(9 * i, 9 * i + 5, label=f'{i}.5') for i in range(10_000)]
  with pytest.raises(errors.UserError, match='10000 different labels'):
    spotting.count(some, some, frames=True)


def test_40_000_clips_of_40_000_people():
  rng = np.random.default_rng(0)
  label, predicted = rng.integers(0, 3, (2, 40_000))
  who = np.arange(40_000)
  counts = metrics.confusion_by_group(who, label, predicted, 40_000, 3)
  np.testing.assert_array_equal(
    counts.sum(0), metrics.confusion(label, predicted, 3)
  )
  np.testing.assert_array_equal(
    counts[7], metrics.confusion(label[7:8], predicted[7:8], 3)
  )
  names = [f'person {i}' for i in range(4000)]
  bounds = intervals.bootstrap(label[:4000], predicted[:4000], names, 3)
  assert 0.3 < bounds['accuracy'][0] < bounds['accuracy'][1] < 0.37


@pytest.mark.parametrize('few', [0, 1, 7, 12])
def test_mcnemar_is_the_binomial_tail(few):
  one = np.arange(20) < 20 - few
  found = paired_tests.mcnemar(one, ~one)
  tail = sum(math.comb(20, k) for k in range(min(few, 20 - few) + 1)) / 2**20
  assert found['p'] == min(1.0, 2 * tail)


def test_mcnemar_of_40_000_clips():
  one = np.arange(40_000) % 2 == 0
  assert paired_tests.mcnemar(one, ~one)['p'] == 1.0


def test_the_next_of_30_000_events():
  """As the choice one after the other, which is written here anew."""
  rng = np.random.default_rng(0)
  uncertain = rng.integers(0, 9, 60) / 9
  person = [f'p{i}' for i in rng.integers(0, 7, 60)]
  done, left, expected = dict.fromkeys(person, 0) | {'p3': 2}, [*range(60)], []
  while left:
    best = min(left, key=lambda i: (done[person[i]], -uncertain[i], i))
    left.remove(best)
    done[person[best]] += 1
    expected.append(best)
  assert choice.choose(uncertain, person, 99, {'p3': 2}) == expected
  many = choice.choose(
    np.zeros(30_000), [f'{i % 9}' for i in range(30_000)], 10**6
  )
  assert many == [*range(30_000)]
