"""A model as StableHLO, for JAX without this package: a ZIP of two files.

    program       jax.export's own bytes, for CPU, CUDA, ROCm and TPU
    model.json    its description

A program is code: XLA compiles and runs it.
"""

import hashlib
import io
import os
import pathlib
import zipfile
from collections.abc import Mapping

import jax
import numpy as np
from jax import export as jax_export
from jax.interpreters import mlir

from mefnet_jax import ops
from mefnet_jax.ops import convolution, pooling, primitives
from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import agreement, metadata, model_function
from mefnet_jax.runs import errors, model_file, regular_file

_PLATFORMS = ('cpu', 'cuda', 'rocm', 'tpu')
_PROGRAM = 'program'
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of the files: equal models give equal bytes

mlir.register_lowering(
  primitives.CONVOLUTION,
  mlir.lower_fun(convolution.conv3d, multiple_results=False),
)
mlir.register_lowering(
  primitives.POOLING, mlir.lower_fun(pooling.max_pool3d, multiple_results=False)
)


def content(model: trained_model.Model, members: list[dict]) -> bytes:
  """The file's bytes: from `model_function.inputs` to (N, classes).

  Args:
    model: the model to export.
    members: those of model.json whose probabilities are averaged.

  Raises:
    errors.UserError: damaged weights, or a network that cannot be traced for a
      batch of any size.
  """
  weights = [model.member(one['fold'], one['seed']) for one in members]
  function = jax.jit(ops.whole(model_function.function(model, weights)))
  (batch,) = jax_export.symbolic_shape('b')
  streams = {
    name: jax.ShapeDtypeStruct((batch, *shape), dtype)
    for name, (shape, dtype) in model_function.inputs(model).items()
  }
  with model_function.any_batch(model):
    exported = jax_export.export(function, platforms=_PLATFORMS)(streams)
    program = bytes(exported.serialize())
  described = metadata.of_members(model, members)[metadata.WHOLE]
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w') as archive:
    for name, data in (
      (_PROGRAM, program),
      (metadata.WHOLE, described.encode()),
    ):
      archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
  return file.getvalue()


def load(path: str | os.PathLike, *, sha256: str) -> agreement.Answers:
  """Opens an exported program, which is code, if you know its digest.

  Args:
    path: the file.
    sha256: its digest as the export printed it, from somebody you trust.

  Raises:
    errors.UserError: the file is missing, has another digest, or is no export.
  """
  path = pathlib.Path(path)
  try:
    file = regular_file.read(path, model_file.MOST_BYTES)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror})'
    ) from error
  if hashlib.sha256(file).hexdigest() != sha256.lower():
    raise errors.UserError(
      f'{path}: not opened, for it would be run: its SHA-256 is not the one '
      'that was given'
    )
  return answers(file)


def answers(file: bytes) -> agreement.Answers:
  """Runs a file's bytes, which must be trusted, in JAX.

  Raises:
    errors.UserError: they are not an export.
  """
  try:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
      program = jax_export.deserialize(bytearray(archive.read(_PROGRAM)))
  except (zipfile.BadZipFile, KeyError, ValueError) as error:
    raise errors.UserError(f'not a StableHLO export ({error})') from error

  def run(clips: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray(program.call(dict(clips)))

  return run
