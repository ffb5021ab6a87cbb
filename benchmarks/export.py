"""Latency of an exported network for one clip, beside JAX, on one core.

python -m benchmarks.export --models runs/demo/model mefnet-zero

Each model's first weights are exported to ONNX. One clip at a time goes through
ONNX Runtime and through the same function compiled by JAX, in turns. Beside it
stands the least time that this core needs: the multiplications of the
convolutions at the rate of a large matrix product, and the weights of the dense
layers, which each clip reads once, at the rate of a matrix times a vector.
"""

import os
import pathlib
import sys
import tempfile
import time

import numpy as np
import onnx
import threadpoolctl

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
  rates = _rates()
  rows = {name: measured(name, args.repeats) for name in args.models}
  for row in rows.values():
    multiplications, size = row['multiplications'], row['dense bytes']
    row['least possible ms'] = 1e3 * (
      multiplications / rates['multiplications/s'] + size / rates['bytes/s']
    )
  scheduled = {'real-time priority': os.sched_getparam(0).sched_priority}
  record.write('export', {**scheduled, **rates, 'models': rows}, load, args.out)
  return 0


def _rates():
  """The highest rates measured on this core."""
  random = np.random.default_rng(0)
  square = random.random((1024, 1024), np.float32)
  matrix, vector = random.random((25600, 128), np.float32), square.reshape(-1)
  with threadpoolctl.threadpool_limits(1):
    return {
      'multiplications/s': 1024**3 / _least(lambda: square @ square),
      'bytes/s': matrix.nbytes / _least(lambda: vector[:25600] @ matrix),
    }


def _least(run):
  """Seconds of the fastest of some calls."""
  taken = []
  for _ in range(ROUNDS):
    began = time.perf_counter()
    run()
    taken.append(time.perf_counter() - began)
  return min(taken)


def measured(name: str, repeats: int) -> dict:
  """Milliseconds of one clip by both, and how far the two answers are apart."""
  import mefnet_jax

  model = mefnet_jax.load(name)
  fold, seed = model.members[0]
  clips = _clip(model)
  work, by_onnx = _by_onnx(model, fold, seed, clips)
  runs = {'onnxruntime': by_onnx, 'jax': _by_jax(model, fold, seed, clips)}
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
  row |= work
  row['streams'] = {k: list(shape) for k, shape in model.streams.items()}
  texts = (
    f'{how} {row[how]["median ms"]:.2f} ms (least {row[how]["least ms"]:.2f})'
    for how in runs
  )
  print(f'{name}: {", ".join(texts)}', flush=True)
  return row


def _clip(model):
  from mefnet_jax.predict.export import model_function

  return model_function.sample(model, 1, seed=3)


def _by_onnx(model, fold, seed, clips):
  import onnxruntime

  from mefnet_jax.predict.export import write

  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = options.inter_op_num_threads = 1
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, 'model.onnx')
    write.write(model, path, 'onnx', fold=fold, seed=seed)
    session = onnxruntime.InferenceSession(path, options)
    work = _work(path)
  return work, lambda: session.run(None, clips)[0]


def _work(path):
  """Multiplications of convolutions and bytes of dense weights for one clip."""
  file = onnx.load(path)
  for one in file.graph.input:
    one.type.tensor_type.shape.dim[0].dim_value = 1
  graph = onnx.shape_inference.infer_shapes(file, data_prop=True).graph
  sizes = {
    one.name: [n.dim_value for n in one.type.tensor_type.shape.dim]
    for one in graph.value_info
  }
  weights = {one.name: list(one.dims) for one in graph.initializer}
  multiplications = size = 0
  for node in graph.node:
    kernel = next((weights[n] for n in node.input if n in weights), None)
    if node.op_type == 'Conv':
      multiplications += int(np.prod(sizes[node.output[0]] + kernel[1:]))
    elif node.op_type == 'MatMul' and kernel:
      size += 4 * int(np.prod(kernel))
  return {'multiplications': multiplications, 'dense bytes': size}


def _by_jax(model, fold, seed, clips):
  import jax

  from mefnet_jax import ops
  from mefnet_jax.predict.export import model_function

  member = model.member(fold, seed)
  run = jax.jit(ops.using(model_function.function(model, [member])))
  return lambda: run(clips)


if __name__ == '__main__':
  sys.exit(cli.status(main))
