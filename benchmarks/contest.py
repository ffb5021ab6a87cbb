"""Contestants: processes that stay warm and work one at a time, in turn."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from benchmarks import turns

ROOT = pathlib.Path(__file__).parents[1]


OWN = ('ours', 'flax')  # those that run in this project's environment


def interpreter(text: str) -> str:
  """The Python that --peers names; a relative path may be the repository's.

  Raises:
    argparse.ArgumentTypeError: there is no such interpreter.
  """
  found = shutil.which(text) or shutil.which(str(ROOT / text))
  if found is None:
    raise argparse.ArgumentTypeError(
      f'{text} is not there: `make bench-...` sets it up, or name another '
      'Python'
    )
  return str(pathlib.Path(found).absolute())


# The arguments of `add_argument` for --peers.
PEERS = {'type': interpreter, 'default': '.venv-bench/bin/python'}


def start(
  package: str,
  modules: dict[str, str],
  peers: str,
  arguments,
  *,
  platform: str = 'cpu',
):
  """Starts contestants one after the other, so that none disturbs another.

  Args:
    package: package of the benchmark, such as 'benchmarks.step'.
    modules: names of its modules, by the contestants' names.
    peers: Python interpreter of the contestants that are not `OWN`.
    arguments: command-line arguments of each.
    platform: the platform to work on, 'cpu' or 'cuda'.

  Returns:
    The workers, and the facts about each, by name.
  """
  workers, facts = {}, {}
  for name, module in modules.items():
    python = sys.executable if name in OWN else peers
    module = f'{package}.{module}'
    workers[name] = Worker(name, python, module, arguments, platform)
    facts[name] = workers[name].answer()
    print(f'{name}: {facts[name]["version"]}', flush=True)
  return workers, facts


def close(workers: dict):
  """Closes all contestants."""
  for worker in workers.values():
    worker.close()


class Worker:
  """One contestant: `python -m module arguments`, on one platform.

  Further keyword arguments are variables of its environment.
  """

  def __init__(
    self,
    name: str,
    python: str,
    module: str,
    arguments=(),
    platform: str = 'cpu',
    **variables: str,
  ):
    self.name = name
    self._process = subprocess.Popen(
      [python, '-m', module, *map(str, arguments)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      cwd=ROOT,
      env={**os.environ, **_platform(platform), **variables},
    )

  def answer(self):
    """Its next answer; other output of its framework goes to stderr."""
    for line in self._process.stdout:
      if line.startswith(turns.ANSWER):
        return json.loads(line.removeprefix(turns.ANSWER))
      print(f'{self.name} says: {line.rstrip()}', file=sys.stderr)
    sys.exit(f'error: {self.name} has stopped; see its output above')

  def turn(self, *words):
    """Gives it a turn; returns its answer."""
    time.sleep(0.2)  # until the threads of the previous contestant are idle
    self._process.stdin.write(' '.join(map(str, words)) + '\n')
    self._process.stdin.flush()
    return self.answer()

  def close(self):
    self._process.stdin.close()
    self._process.wait()


def _platform(name):
  """Variables that keep a contestant on a platform; the second is for torch."""
  hidden = {} if name == 'cuda' else {'CUDA_VISIBLE_DEVICES': ''}
  return {'JAX_PLATFORMS': name, **hidden}
