"""SIGTERM and Ctrl-C: a run saves its state, stops, and can be resumed."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from mefnet_jax.runs import errors


class Stop(threading.Event):
  """Set when the process is asked to stop.

  Attributes:
    patient: whether the running code polls this event at points where it can
      stop; otherwise the signal raises errors.Stopped immediately.
  """

  patient = False


@contextlib.contextmanager
def signals() -> Iterator[Stop]:
  """Yields a Stop that SIGTERM or Ctrl-C sets; restores the handlers after."""
  stop = Stop()

  def ask(signum, frame):
    # After a second Ctrl-C the end of the epoch is not awaited.
    if stop.is_set() and signum == signal.SIGINT:
      raise KeyboardInterrupt
    stop.set()
    if not stop.patient:
      raise errors.Stopped('stopped; run the same command again to resume')

  lost: list[BaseException] = []

  def lose(unraisable):
    if isinstance(unraisable.exc_value, errors.Stopped):
      lost.append(unraisable.exc_value)
    else:
      hook(unraisable)

  # The exception of `ask` is lost in a callback of a library (Numba's, while it
  # compiles); the library fails soon after, without the callback's result.
  hook, sys.unraisablehook = sys.unraisablehook, lose
  old = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
  try:
    yield stop
  except Exception:
    if lost:
      raise lost[0] from None
    raise
  finally:
    sys.unraisablehook = hook
    for signum, handler in old.items():
      signal.signal(signum, handler)


@contextlib.contextmanager
def as_interrupts() -> Iterator[None]:
  """Makes SIGTERM, and the closing of the terminal, act as Ctrl-C does.

  They raise KeyboardInterrupt, so that half-written files are removed.
  """

  def end(signum, frame):
    if signum != signal.SIGTERM:  # without a terminal, prints would fail
      nothing = os.open(os.devnull, os.O_RDWR)
      for number in range(3):
        os.dup2(nothing, number)
    raise KeyboardInterrupt

  names = ('SIGTERM', 'SIGHUP')  # Windows has only the first
  existing = [getattr(signal, x) for x in names if hasattr(signal, x)]
  # Under nohup, SIGHUP stays ignored.
  ours = [s for s in existing if signal.getsignal(s) is not signal.SIG_IGN]
  old = {s: signal.signal(s, end) for s in ours}
  try:
    yield
  finally:
    for signum, handler in old.items():
      signal.signal(signum, handler)
