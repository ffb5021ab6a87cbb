"""What is kept for equal networks: a program costs seconds of tracing."""

import functools
from collections.abc import Callable
from typing import Any

_KEPT = 8  # programs of so many networks: a sweep makes one after another


def kept(make: Callable[..., Any]) -> Callable[..., Any]:
  """`make(network, *settings)`, called once for arguments that are equal.

  A network of somebody's own may hold what has no hash; for it `make` is
  called each time.
  """
  once = functools.lru_cache(_KEPT)(make)

  @functools.wraps(make)
  def made(*args):
    try:
      hash(args)
    except TypeError:
      return make(*args)
    return once(*args)

  return made
