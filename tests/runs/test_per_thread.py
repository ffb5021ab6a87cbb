"""Values that threads do not share."""

from concurrent import futures

from mefnet_jax.runs import per_thread


def test_each_thread_has_its_own_and_makes_it_once():
  made = []

  @per_thread.cache
  def value():
    made.append(object())
    return made[-1]

  def twice():
    return value(), value()

  found = [twice()]
  for _ in range(2):
    with futures.ThreadPoolExecutor(1) as pool:
      found.append(pool.submit(twice).result())
  assert all(first is second for first, second in found)
  assert len({id(first) for first, _ in found}) == len(made) == 3
