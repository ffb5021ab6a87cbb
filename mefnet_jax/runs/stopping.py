"""SIGTERM and Ctrl-C: a run is asked to stop, saves, and can be resumed."""

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
    # A second Ctrl-C: the user does not want to wait for the epoch to end.
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

  # A callback of a library (Numba's, while it compiles) cannot raise what `ask`
  # raises; the library fails soon after, for want of the callback's result.
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
  """SIGTERM, or a terminal that is closed, ends the code as Ctrl-C does.

  It raises KeyboardInterrupt, so that what is half-written is removed.
  """

  def end(signum, frame):
    if signum != signal.SIGTERM:  # nobody reads, and prints would fail
      nothing = os.open(os.devnull, os.O_RDWR)
      for number in range(3):
        os.dup2(nothing, number)
    raise KeyboardInterrupt

  names = ('SIGTERM', 'SIGHUP')  # of which Windows has the first alone
  known = [getattr(signal, name) for name in names if hasattr(signal, name)]
  # nohup ignores SIGHUP, and so it stays.
  ours = [s for s in known if signal.getsignal(s) is not signal.SIG_IGN]
  old = {s: signal.signal(s, end) for s in ours}
  try:
    yield
  finally:
    for signum, handler in old.items():
      signal.signal(signum, handler)
