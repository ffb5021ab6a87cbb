"""Ends worker processes whose parent process has died."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
  """Makes this process exit as soon as its parent process has died.

  Without this, the workers of a pool whose owner was killed wait forever,
  because each of them holds open the pipe whose end would tell the others.
  """
  parent = multiprocessing.parent_process()
  if parent is not None:
    threading.Thread(target=_wait, args=(parent,), daemon=True).start()


def _wait(parent):
  parent.join()
  # sys.exit would end only this thread.
  os._exit(1)
