"""Commands as processes of their own, forked from one that has imported jax.

A command spends most of its time on imports. `multiprocessing` keeps a server
that has imported them and started no thread; each command is a fork of it,
with its own output, exit status and death.
"""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

import jax

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(
  ['pytest', 'dlib', 'matplotlib.figure', 'mefnet_jax.protocol']
)


def start(module, args, folder: pathlib.Path, *, env, cwd):
  """Starts `python -m module args`; what it says goes to files of `folder`."""
  process = _CONTEXT.Process(
    target=_become, args=(module, args, folder, dict(env), cwd)
  )
  process.start()
  return process


def run(module, args, *, env, cwd, timeout=300):
  """Runs it to its end, as `subprocess.run` does."""
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    process = start(module, args, folder, env=env, cwd=cwd)
    process.join(timeout)
    if process.exitcode is None:
      process.kill()
      raise subprocess.TimeoutExpired(module, timeout)
    said = [(folder / name).read_text() for name in ('stdout', 'stderr')]
    return subprocess.CompletedProcess(args, process.exitcode, *said)


def _become(module, args, folder, env, cwd):
  """What the fork does: streams, folder, environment, then the module."""
  for number, name in ((1, 'stdout'), (2, 'stderr')):
    file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, number)
    os.close(file)
  os.chdir(cwd)
  os.environ.clear()
  os.environ.update(env)
  if 'JAX_PLATFORMS' in env:  # jax has read its own already
    jax.config.update('jax_platforms', env['JAX_PLATFORMS'])
  sys.argv = [module, *args]
  runpy.run_module(module, run_name='__main__', alter_sys=True)
