"""A model as ONNX: one file, read by ONNX Runtime on any device."""

from collections.abc import Mapping

import numpy as np
import onnx

from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import (
  agreement,
  metadata,
  model_function,
  translate,
)
from mefnet_jax.runs import errors

OUTPUT = 'probabilities'
_LARGEST = 2**31 - 2**24  # bytes of constants in a file of Protocol Buffers


def content(model: trained_model.Model, members: list[dict]) -> bytes:
  """The file's bytes: from `model_function.inputs` to `OUTPUT`, (N, classes).

  Args:
    model: the model to export.
    members: those of model.json whose probabilities are averaged.

  Raises:
    errors.UserError: damaged weights, a network that ONNX cannot represent, or
      more than 2 GB.
  """
  if model.description['network'].get('dtype') == 'bfloat16':
    raise errors.UserError(
      f'{model.folder}: computes in bfloat16, for which ONNX Runtime has no '
      'kernels on a CPU: use --format=stablehlo'
    )
  inputs = model_function.inputs(model)
  weights = [model.member(one['fold'], one['seed']) for one in members]
  with model_function.any_batch(model):
    traced = translate.trace(model_function.function(model, weights), inputs)
  try:
    graph = translate.to_graph(traced, inputs, OUTPUT)
    if graph.size > _LARGEST:  # which ONNX's own check cannot take
      raise errors.UserError(
        f'{model.folder}: more than 2 GB as ONNX: export one --fold'
      )
    name = str(model.description['network']['name'])
    made = graph.model(name, metadata.of_members(model, members))
  except (
    NotImplementedError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
  ) as error:
    raise errors.UserError(
      f'{model.folder}: its network cannot be written as ONNX '
      f'({str(error).splitlines()[0]}): try --format=stablehlo'
    ) from error
  return made.SerializeToString()


def answers(file: bytes) -> agreement.Answers:
  """Runs a file's bytes in ONNX Runtime.

  Raises:
    errors.UserError: ONNX Runtime cannot run them.
  """
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3  # errors alone
  try:
    session = onnxruntime.InferenceSession(
      file, options, providers=['CPUExecutionProvider']
    )
  except Exception as error:  # its classes are not public
    raise _cannot_run(error) from error

  def run(clips: Mapping[str, np.ndarray]) -> np.ndarray:
    try:
      return session.run([OUTPUT], dict(clips))[0]
    except Exception as error:  # as above
      raise _cannot_run(error) from error

  return run


def _cannot_run(error):
  line = str(error).splitlines()[0][:200]
  return errors.UserError(f'ONNX Runtime cannot run this network ({line})')
