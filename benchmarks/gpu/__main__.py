"""Runs all stages, each in a process of its own with a limit of its own.

make bench-gpu
python -m benchmarks.gpu --platform=cpu --small  # tries this command itself
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks import contest, record
from mefnet_jax.runs import cli, environment, errors, outputs

PLATFORMS = ('cuda', 'cpu')
# Seconds; together below ten minutes. Who takes longer is stopped, and the
# result says so.
LIMITS = {
  'device': 60,
  'suite': 200,
  'convolution': 60,
  'loso': 180,
  'zero': 90,
}
_WORKERS = 6  # processes that test; each holds a context on the device


def main() -> None:
  parser = cli.Parser(description=__doc__)
  add = parser.add_argument
  add('--platform', choices=PLATFORMS, default='cuda')
  add('--peers', default='.venv-bench/bin/python', help="PyTorch's Python")
  add('--stages', type=cli.names(tuple(LIMITS)), default=tuple(LIMITS))
  add('--small', action='store_true', help='little of each, to try it')
  add('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  result = {'platform': args.platform, 'small': args.small}
  for stage in dict.fromkeys(('device', *args.stages)):
    result[stage] = found = run(stage, args)
    print(f'{stage}: {json.dumps(found)[:300]}', flush=True)
    if stage == 'device' and 'failed' in found:
      raise errors.UserError(
        f'--platform={args.platform}: jax finds no such device: install '
        'requirements-cuda.txt, or try --platform=cpu --small'
      )
  name = result['device']['name']
  record.write('gpu', result, load, args.out, device=name)
  broken = [s for s in args.stages if 'failed' in result[s]]
  if broken:
    raise errors.UserError(f'{", ".join(broken)}: failed, see above')


def run(stage: str, args: Any) -> dict[str, Any]:
  """One stage: what it found, or why it 'failed', and its seconds."""
  started = time.monotonic()
  with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder) / 'found.json'
    command, read = _STAGES[stage](args, out)
    try:
      done = subprocess.run(
        command,
        cwd=contest.ROOT,
        env=_environment(args.platform),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMITS[stage],
      )
      found = read(done, out)
    except subprocess.TimeoutExpired:
      found = {'failed': f'more than {LIMITS[stage]} s'}
  return {**found, 'stage_seconds': time.monotonic() - started}


def _environment(platform: str) -> dict[str, str]:
  # Several processes share the device: none may take all of its memory.
  own = {'JAX_PLATFORMS': platform, 'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}
  return {**os.environ, **own}


def _device(args, out):
  program = (
    'import jax, json; d = jax.devices()[0]; '
    'print(json.dumps({"name": d.device_kind, "count": jax.device_count(), '
    '"jax": jax.__version__}))'
  )
  return [sys.executable, '-c', program], _last_line


def _suite(args, out):
  what = ['tests/ops/test_pooling.py'] if args.small else ['tests']
  workers = min(_WORKERS, environment.cores())
  command = [sys.executable, '-m', 'pytest', f'--numprocesses={workers}']
  return [*command, '--dist=loadfile', *what], _tests


def _convolution(args, out):
  command = [sys.executable, '-m', 'benchmarks.gpu.convolution']
  return [*command, *(['--small'] if args.small else [])], _last_line


def _loso(args, out):
  epochs, network = (1, 'base') if args.small else (20, 'mfcnn')
  command = [sys.executable, '-m', 'benchmarks.cross_validation']
  command += [f'--platform={args.platform}', f'--peers={args.peers}']
  command += [f'--networks={network}', '--contestants=ours,pytorch']
  command += ['--protocols=kfold' if args.small else '--protocols=loso']
  return [*command, f'--epochs={epochs}', '--repeats=1', f'--out={out}'], _file


def _zero(args, out):
  few = {'people': 8, 'held_out': 4, 'steps': 100} if args.small else {}
  command = [sys.executable, '-m', 'mefnet_jax.main']
  command += ['--config=configs/mefnet_zero.py:train']
  command += [f'--config.synthetic.{k}={v}' for k, v in few.items()]
  if args.small:
    command += ['--config.synthetic.people=32', '--config.seeds=2']
  return [*command, f'--workdir={out.parent / "zero"}'], _model


def _last_line(done, out):
  if done.returncode:
    return {'failed': _end(done)}
  return json.loads(done.stdout.strip().splitlines()[-1])


def _tests(done, out):
  found = {'said': done.stdout.strip().splitlines()[-1]}
  if done.returncode:
    names = [x for x in done.stdout.splitlines() if x.startswith('FAILED')]
    found['failed'] = names or _end(done)
  return found


def _file(done, out):
  if done.returncode or not out.exists():
    return {'failed': _end(done)}
  return json.loads(out.read_text())


def _model(done, out):
  path = out.parent / 'zero' / 'model' / 'model.json'
  if done.returncode or not path.exists():
    return {'failed': _end(done)}
  model = json.loads(path.read_text())
  kept = ('seconds', 'device', 'scores', 'training', 'synthetic')
  return {name: model[name] for name in kept}


def _end(done):
  """The last line of a process's output, which names its mistake."""
  lines = done.stdout.strip().splitlines()
  return lines[-1] if lines else f'status {done.returncode}, no word'


_STAGES: dict[str, Callable] = {
  'device': _device,
  'suite': _suite,
  'convolution': _convolution,
  'loso': _loso,
  'zero': _zero,
}

if __name__ == '__main__':
  sys.exit(cli.status(main))
