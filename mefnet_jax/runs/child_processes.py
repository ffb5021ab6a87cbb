"""Processes that share the work of another end when that one has died."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
  """Ends this process when the one that started it has died.

  A pool whose owner is killed leaves its processes waiting for ever: each of
  them holds the pipe open that would tell it.
  """
  parent = multiprocessing.parent_process()
  if parent is not None:
    threading.Thread(target=_wait, args=(parent,), daemon=True).start()


def _wait(parent):
  parent.join()
  os._exit(1)
