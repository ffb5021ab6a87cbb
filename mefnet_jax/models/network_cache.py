"""Caches what is built for a network, because tracing takes seconds."""

import functools
from collections.abc import Callable
from typing import Any

_SIZE = 8  # networks that are cached: a sweep builds one after another


def cached(make: Callable[..., Any]) -> Callable[..., Any]:
  """Wraps `make(network, *settings)` so that equal arguments share one result.

  Arguments without a hash, as the fields of a user's network may be, are not
  cached: `make` is then called each time.
  """
  once = functools.lru_cache(_SIZE)(make)

  @functools.wraps(make)
  def build(*args):
    try:
      hash(args)
    except TypeError:
      return make(*args)
    return once(*args)

  return build
