"""The order of clips: every clip once, or every class alike often."""

import numpy as np
import pytest

from mefnet_jax.training import sampler


@pytest.mark.parametrize(('clips', 'size'), [(164, 64), (14, 64), (9, 4)])
def test_an_epoch_holds_every_clip_once(clips, size):
  order = sampler.shared_order(clips, size, 4, seed=1, epoch=2)
  used = order['index'][order['valid'] == 1]
  assert sorted(used) == list(range(clips))
  assert order['index'].shape[1] <= -(-size // 4) * 4
  again = sampler.shared_order(clips, size, 4, seed=1, epoch=2)
  np.testing.assert_array_equal(order['index'], again['index'])
  other = sampler.shared_order(clips, size, 4, seed=1, epoch=3)
  assert (order['index'] != other['index']).any()


def test_a_step_has_the_same_clips_on_any_number_of_devices():
  """14 clips in steps of 8: 7 and 7, also where 8 are divided by 4."""

  def steps(multiple, make):
    order = make(multiple)
    assert order['index'].shape[1] % multiple == 0
    return [
      index[valid == 1].tolist()
      for index, valid in zip(order['index'], order['valid'], strict=True)
    ]

  train = np.arange(0, 60, 2)
  for make in (
    lambda n: sampler.shared_order(14, 8, n, seed=1, epoch=2),
    lambda n: sampler.fold_order(
      LABEL, train, 16, n, sampling='balanced', seed=3, epoch=1
    ),
  ):
    alone = steps(1, make)
    assert all(steps(n, make) == alone for n in (2, 4, 8))


LABEL = np.repeat([0, 1, 2], [40, 15, 5])


def own(train, **changes):
  given = {'sampling': 'uniform', 'seed': 3, 'epoch': 1} | changes
  return sampler.fold_order(LABEL, train, 16, 4, **given)


def used(order):
  return order['index'][order['valid'] == 1]


def test_a_fold_s_own_order_holds_its_training_clips_once():
  train = np.arange(0, 60, 2)
  order = own(train)
  assert sorted(used(order)) == train.tolist()
  assert set(order['index'].ravel()) <= set(train)
  assert set(order['mate'].ravel()) <= set(train)


def test_mates_are_another_clip_of_the_batch():
  order = own(np.arange(60))
  for index, mate, valid in zip(
    order['index'], order['mate'], order['valid'], strict=True
  ):
    kept = valid == 1
    assert sorted(index[kept]) == sorted(mate[kept])
    assert (index[kept] != mate[kept]).all()


def test_balanced_sampling_draws_classes_alike():
  drawn = used(own(np.arange(60), sampling='balanced'))
  assert len(drawn) == 60
  assert np.bincount(LABEL[drawn]).tolist() == [20, 20, 20]
  # Each of the five clips of the rare class before one comes again.
  assert np.bincount(drawn[LABEL[drawn] == 2])[55:].tolist() == [4] * 5


def test_other_labels_outside_the_fold_change_nothing():
  train = np.arange(30)
  before = own(train, sampling='balanced')
  other = LABEL.copy()
  other[30:] = 2
  after = sampler.fold_order(
    other, train, 16, 4, sampling='balanced', seed=3, epoch=1
  )
  for name, value in before.items():
    np.testing.assert_array_equal(value, after[name])
