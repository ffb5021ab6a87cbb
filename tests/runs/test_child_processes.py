"""Nothing is left running of a process that was killed."""

import os
import pathlib
import signal
import subprocess
import sys
import time

SCRIPT = """
import multiprocessing, os, time
from mefnet_jax.runs import child_processes

def work():
  child_processes.end_with_parent()
  print(os.getpid(), flush=True)
  time.sleep(60)

if __name__ == '__main__':
  worker = multiprocessing.get_context('spawn').Process(target=work)
  worker.start()
  worker.join()
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
  (tmp_path / 'script.py').write_text(SCRIPT)
  parent = subprocess.Popen(
    [sys.executable, tmp_path / 'script.py'],
    stdout=subprocess.PIPE,
    text=True,
    env=os.environ | {'PYTHONPATH': str(pathlib.Path(__file__).parents[2])},
  )
  with parent:
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)  # it is there
    parent.send_signal(signal.SIGKILL)
  for _ in range(100):
    if not alive(worker):
      return
    time.sleep(0.1)
  os.kill(worker, signal.SIGKILL)
  raise AssertionError('the worker goes on')


def alive(pid):
  """Whether a process is there and no zombie."""
  try:
    status = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return False
  return status.rsplit(')', 1)[1].split()[0] != 'Z'
