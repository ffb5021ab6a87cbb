"""Values that threads do not share."""

import threading
from concurrent import futures

import pytest

from mefnet_jax.runs import object_pool


@pytest.fixture
def numbers():
  """A pool whose values are 0, 1, 2 in the order in which they are made."""
  made = iter(range(99))
  return object_pool.pool(lambda: next(made))


def test_who_asks_at_once_gets_one_of_their_own(numbers):
  everyone = threading.Barrier(3)

  def hold(_):
    with numbers() as number:
      everyone.wait(60)  # nobody has given theirs back
      return number

  with futures.ThreadPoolExecutor(3) as pool:
    assert sorted(pool.map(hold, range(3))) == [0, 1, 2]


def test_what_was_given_back_is_lent_again(numbers):
  """To threads that come after one that has ended, and after an error."""

  def take():
    with numbers() as number:
      return number

  for _ in range(3):
    with futures.ThreadPoolExecutor(1) as pool:
      assert pool.submit(take).result() == 0
  with pytest.raises(ValueError, match='of the user'), numbers():
    raise ValueError('of the user')
  assert take() == 0
  with numbers() as first, numbers() as second:
    assert first != second
