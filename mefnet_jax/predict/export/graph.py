"""Builds an ONNX graph, in which arrays may have their axes in any order.

A network written for JAX keeps channels last; ONNX runtimes are fast with
channels before rows and columns, and with frames and batch as one axis. So an
array of the network may lie in the graph with its axes in another order, some
of them joined (`Value.layout`), and is transposed only where it must be.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Layout = tuple[tuple[int, ...], ...]
OPSET = 18
# The least IR version with that opset, which older runtimes read too.
IR_VERSION = 8
_BATCH = -1  # in ONNX's Reshape: the axis of unknown size


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
  """An array of the network, and how it lies in the graph.

  Attributes:
    shape: its shape in the network, with 1 for each axis along which it
      broadcasts; a size that is no int is the batch's.
    layout: for each axis in the graph, the network's axes that it joins.
    name: its name in the graph.
    constant: the array itself, if it is a constant.
  """

  shape: tuple
  layout: Layout
  name: str = ''
  constant: np.ndarray | None = None

  @property
  def order(self) -> tuple[int, ...]:
    """The network's axes in the order of the graph."""
    return tuple(axis for group in self.layout for axis in group)


def known(array: Any) -> Value:
  """Returns a constant as a `Value`."""
  array = np.asarray(array)
  return Value(array.shape, singles(range(array.ndim)), constant=array)


def singles(order: Sequence[int]) -> Layout:
  """The layout with these axes in this order, none joined."""
  return tuple((axis,) for axis in order)


def size(shape: Sequence, group: Sequence[int]) -> int:
  """The size of a graph axis that joins axes of a shape; -1 with the batch."""
  sizes = [shape[axis] for axis in group]
  whole = all(isinstance(n, int) for n in sizes)
  return math.prod(sizes) if whole else _BATCH


class Graph:
  """The nodes and constants of an ONNX graph; equal ones are shared."""

  def __init__(self):
    self._nodes, self._made, self._constants = [], {}, {}
    self._reshaped, self._inputs, self._outputs = {}, [], []

  def input(self, name: str, shape: Sequence, dtype: str) -> Value:
    """Adds an input (batch, *shape[1:])."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    sizes = ['N', *shape[1:]]
    self._inputs.append(helper.make_tensor_value_info(name, kind, sizes))
    return Value(tuple(shape), singles(range(len(shape))), name)

  def output(self, name: str, value: Value) -> None:
    """Names a value as an output, float32."""
    order = singles(range(len(value.shape)))
    found = self.arranged(value, order)
    self._nodes.append(helper.make_node('Identity', [found], [name]))
    sizes = [n if isinstance(n, int) else 'N' for n in value.shape]
    self._outputs.append(
      helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)
    )

  def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
    """Adds a node with one output, and returns that output's name."""
    key = kind, inputs, repr(sorted(attributes.items()))
    if key not in self._made:
      name = self._made[key] = f'{kind}_{len(self._nodes)}'
      self._nodes.append(
        helper.make_node(kind, list(inputs), [name], name, **attributes)
      )
    return self._made[key]

  def constant(self, array: Any) -> str:
    """Adds a constant, and returns its name."""
    array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
    key = array.dtype.str, array.shape, array.tobytes()
    if key not in self._constants:
      name = f'constant_{len(self._constants)}'
      self._constants[key] = numpy_helper.from_array(array, name)
    return self._constants[key].name

  def whole_numbers(self, *numbers: int) -> str:
    """Adds a constant int64 vector, such as sizes or axes; returns its name."""
    return self.constant(np.array(numbers, np.int64))

  def reshaped(self, name: str, sizes: Sequence[int]) -> str:
    """Reshapes an array, and returns the name; drops a reshape before it."""
    source = self._reshaped.get(name, name)
    found = self.node('Reshape', source, self.whole_numbers(*sizes))
    self._reshaped[found] = source
    return found

  def arranged(self, value: Value, layout: Layout) -> str:
    """Brings a value into a layout, and returns the name of the array."""
    if value.constant is not None:
      axes = [axis for group in layout for axis in group]
      shape = value.constant.shape
      sizes = [size(shape, group) for group in layout]
      return self.constant(value.constant.transpose(axes).reshape(sizes))
    if value.layout == layout:
      return value.name
    name, have = value.name, value.order
    sizes = [size(value.shape, group) for group in value.layout]
    want = [axis for group in layout for axis in group]
    if _long(value, have) != _long(value, want):
      apart = [size(value.shape, (axis,)) for axis in have]
      if apart != sizes:
        name = self.reshaped(name, apart)
      order = [have.index(axis) for axis in want]
      name = self.node('Transpose', name, perm=order)
      sizes = [size(value.shape, (axis,)) for axis in want]
    wanted = [size(value.shape, group) for group in layout]
    return name if wanted == sizes else self.reshaped(name, wanted)

  def full(self, value: Value, shape: Sequence) -> Value:
    """Repeats a value along the axes where it broadcasts."""
    shape = tuple(shape)
    if value.shape == shape:
      return value
    if value.constant is not None and all(isinstance(n, int) for n in shape):
      return known(np.broadcast_to(value.constant, shape))
    order = singles(value.order)
    name = self.arranged(value, order)
    parts = [
      self.whole_numbers(shape[axis])
      if isinstance(shape[axis], int)
      else self._batch_size()
      for axis in value.order
    ]
    sizes = self.node('Concat', *parts, axis=0)
    return Value(shape, order, self.node('Expand', name, sizes))

  def _batch_size(self):
    return self.node('Shape', self._inputs[0].name, start=0, end=1)

  def model(self, name: str, properties: dict[str, str]) -> onnx.ModelProto:
    """The finished model, checked by ONNX's own rules."""
    made = helper.make_model(
      helper.make_graph(
        self._needed(),
        name,
        self._inputs,
        self._outputs,
        self._used_constants(),
      ),
      opset_imports=[helper.make_opsetid('', OPSET)],
      ir_version=IR_VERSION,
      producer_name='mefnet_jax',
    )
    helper.set_model_props(made, properties)
    onnx.checker.check_model(made, full_check=True)
    return made

  @property
  def size(self) -> int:
    """Bytes of the constants."""
    return sum(len(one.raw_data) for one in self._used_constants())

  def _needed(self):
    """The nodes that an output depends on."""
    wanted = {one.name for one in self._outputs}
    found = []
    for node in reversed(self._nodes):
      if wanted & set(node.output):
        wanted |= set(node.input)
        found.append(node)
    return found[::-1]

  def _used_constants(self):
    used = {name for node in self._needed() for name in node.input}
    return [one for one in self._constants.values() if one.name in used]


def _long(value, axes):
  """The axes that are longer than 1; the place of others does not matter."""
  return [axis for axis in axes if value.shape[axis] != 1]


def elementwise(
  graph: Graph, kind: str, *values: Value, **attributes: Any
) -> Value:
  """Adds an element-wise node, which broadcasts as ONNX does."""
  ranked = [value for value in values if value.shape]
  if not ranked:
    names = [graph.arranged(value, ()) for value in values]
    return Value((), (), graph.node(kind, *names, **attributes))
  shape = tuple(
    functools.reduce(lambda a, b: b if isinstance(a, int) and a == 1 else a, n)
    for n in zip(*[value.shape for value in ranked], strict=True)
  )
  layout = _leader(ranked).layout
  if not all(_fits(value, layout, shape) for value in ranked):
    layout = singles(_leader(ranked).order)
  names = [
    graph.arranged(value, layout if value.shape else ()) for value in values
  ]
  return Value(shape, layout, graph.node(kind, *names, **attributes))


def _leader(values):
  """The value that would be the most expensive to transpose."""

  def weight(value):
    open_ = sum(not isinstance(n, int) for n in value.shape)
    return (
      value.constant is None,
      open_,
      math.prod(n for n in value.shape if isinstance(n, int)),
    )

  return max(values, key=weight)


def _fits(value, layout, shape):
  """Whether its axes can be joined so, and still broadcast to that shape."""
  for group in layout:
    own = [value.shape[axis] for axis in group]
    if own != [shape[axis] for axis in group] and own != [1] * len(own):
      return False
  return True
