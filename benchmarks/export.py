"""How soon an exported network answers for one clip, beside JAX, on one core.

python -m benchmarks.export --models runs/demo/model mefnet-zero

Each model's first weights are exported to ONNX. One clip at a time goes through
ONNX Runtime and through the same function compiled by JAX, in turns.
"""

import os
import pathlib
import sys
import tempfile
import time

import numpy as np

from benchmarks import record
from mefnet_jax.runs import cli, outputs

ROUNDS = 20


def main() -> int:
  """Measures and writes the record."""
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--models', nargs='+', default=['mefnet-zero'])
  parser.add_argument('--repeats', type=cli.count, default=200)
  parser.add_argument(
    '--out', type=outputs.file, help='file of the results', metavar='FILE'
  )
  args = parser.parse_args()
  load = os.getloadavg()[0]
  os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core
  rows = {name: measured(name, args.repeats) for name in args.models}
  record.write('export', {'models': rows}, load, args.out)
  return 0


def measured(name: str, repeats: int) -> dict:
  """Milliseconds of one clip by both, and how far the two answers are apart."""
  import mefnet_jax

  model = mefnet_jax.load(name)
  fold, seed = model.members[0]
  clips = _clip(model)
  runs = {
    'onnxruntime': _by_onnx(model, fold, seed, clips),
    'jax': _by_jax(model, fold, seed, clips),
  }
  answers = {how: np.asarray(run()) for how, run in runs.items()}
  samples = {how: [] for how in runs}
  for _ in range(repeats // ROUNDS or 1):
    for how, run in runs.items():
      for _ in range(ROUNDS):
        began = time.perf_counter()
        np.asarray(run())
        samples[how].append((time.perf_counter() - began) * 1e3)
  row = {
    how: {
      'least ms': min(ms),
      'median ms': float(np.median(ms)),
      'p95 ms': float(np.quantile(ms, 0.95)),
    }
    for how, ms in samples.items()
  }
  apart = float(np.abs(answers['onnxruntime'] - answers['jax']).max())
  row |= {'network': model.description['network']['name'], 'difference': apart}
  row['streams'] = {k: list(shape) for k, shape in model.streams.items()}
  said = (
    f'{how} {row[how]["median ms"]:.2f} ms (least {row[how]["least ms"]:.2f})'
    for how in runs
  )
  print(f'{name}: {", ".join(said)}', flush=True)
  return row


def _clip(model):
  from mefnet_jax.predict.export import answer

  return answer.sample(model, 1, seed=3)


def _by_onnx(model, fold, seed, clips):
  import onnxruntime

  from mefnet_jax.predict.export import write

  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = options.inter_op_num_threads = 1
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, 'model.onnx')
    write.write(model, path, 'onnx', fold=fold, seed=seed)
    session = onnxruntime.InferenceSession(path, options)
  return lambda: session.run(None, clips)[0]


def _by_jax(model, fold, seed, clips):
  import jax

  from mefnet_jax import ops
  from mefnet_jax.predict.export import answer

  member = model.member(fold, seed)
  run = jax.jit(ops.using(answer.function(model, [member])))
  return lambda: run(clips)


if __name__ == '__main__':
  sys.exit(cli.status(main))
