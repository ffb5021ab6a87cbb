"""Rules from JAX's primitives to ONNX: reshape, slice, gather and the like.

A rule takes the graph, an equation of the trace and its operands; it returns
the results, or raises NotImplementedError for a form that it does not cover.
"""

import math
from typing import Any

from mefnet_jax.predict.export import graph as graphs
from mefnet_jax.predict.export import layers

_OPEN = 2**61 - 1  # a prime that stands for the size of the batch in products


def broadcast(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`broadcast_in_dim`: new axes of length 1, which ONNX broadcasts."""
  places = eqn.params['broadcast_dimensions']
  shape = [1] * len(eqn.params['shape'])
  for axis, place in enumerate(places):
    shape[place] = x.shape[axis]
  if x.constant is not None:
    return graphs.known(x.constant.reshape(shape))
  new = [axis for axis in range(len(shape)) if axis not in places]
  inner = tuple(tuple(places[a] for a in group) for group in x.layout)
  layout = (*graphs.singles(new), *inner)
  sizes = [graphs.size(shape, group) for group in layout]
  name = graph.reshaped(x.name, sizes) if new else x.name
  return graphs.Value(tuple(shape), layout, name)


def transpose(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`transpose`: the axes get other numbers, and no node is added."""
  order = eqn.params['permutation']
  if x.constant is not None:
    return graphs.known(x.constant.transpose(order))
  place = {axis: i for i, axis in enumerate(order)}
  layout = tuple(tuple(place[a] for a in group) for group in x.layout)
  return graphs.Value(tuple(x.shape[a] for a in order), layout, x.name)


def reshape(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`reshape`, `squeeze`: splits and joins axes where they lie."""
  x = graph.full(x, eqn.invars[0].aval.shape)
  return reshaped(graph, x, tuple(eqn.outvars[0].aval.shape))


def reshaped(graph: graphs.Graph, x: graphs.Value, new: tuple) -> graphs.Value:
  """Reshapes a value."""
  if x.constant is not None:
    return graphs.known(x.constant.reshape(new))
  parts = _segments(x.shape, new)
  straight = all(len(a) == 1 or len(b) == 1 for a, b in parts)
  layout = x.layout
  # Axes to be joined may lie apart within the graph's own joined axes.
  if any(len(a) > 1 for a, _ in parts):  # joins
    layout = graphs.singles(x.order)
  if not straight or not all(_together(x, a) for a, _ in parts):
    layout = graphs.singles(range(len(x.shape)))
    name = graph.arranged(x, layout)
    order = graphs.singles(range(len(new)))
    sizes = [graphs.size(new, group) for group in order]
    return graphs.Value(new, order, graph.reshaped(name, sizes))
  first = {a[0]: tuple(b) for a, b in parts}
  groups = [
    tuple(axis for old in group for axis in first.get(old, ()))
    for group in layout
  ]
  named = {axis for group in groups for axis in group}
  groups = [g for g in groups if g]
  groups += [(axis,) for axis in range(len(new)) if axis not in named]
  layout = tuple(groups)
  sizes = [graphs.size(new, group) for group in layout]
  return graphs.Value(new, layout, graph.reshaped(x.name, sizes))


def _segments(old, new):
  """Pairs of axes of equal products, axes of length 1 left out."""
  old = [(axis, _length(n)) for axis, n in enumerate(old) if _length(n) > 1]
  new = [(axis, _length(n)) for axis, n in enumerate(new) if _length(n) > 1]
  parts: list[tuple[list[int], list[int]]] = []
  while old or new:
    left, right = [old.pop(0)], [new.pop(0)]
    while (a := _product(left)) != (b := _product(right)):
      if a < b:
        left.append(old.pop(0))
      else:
        right.append(new.pop(0))
    parts.append(([a for a, _ in left], [a for a, _ in right]))
  return parts


def _product(pairs):
  return math.prod(n for _, n in pairs)


def _length(n):
  """A size as a number; the batch b as a prime, 4 b as four times that."""
  if isinstance(n, int):
    return n
  text = str(n).split('*')
  return _OPEN * math.prod(int(part) for part in text if part.isdigit())


def _together(x, axes):
  """Whether axes lie side by side and in order, so that they can be joined."""
  order = [a for a in x.order if _length(x.shape[a]) > 1]
  start = order.index(axes[0])
  return order[start : start + len(axes)] == axes


def stack(graph: graphs.Graph, eqn: Any, *parts: graphs.Value) -> graphs.Value:
  """`stack`: concatenation along an axis of its own."""
  whole = _whole(graph, eqn, parts)
  return stacked(graph, eqn.params['axis'], whole)


def stacked(
  graph: graphs.Graph, axis: int, parts: list[graphs.Value]
) -> graphs.Value:
  """Values of one shape, none broadcast, along a new axis."""
  before, after = parts[0].shape[:axis], parts[0].shape[axis:]
  apart = [reshaped(graph, x, (*before, 1, *after)) for x in parts]
  return _joined(graph, (*before, len(parts), *after), axis, apart)


def row(graph: graphs.Graph, x: graphs.Value, index: int) -> graphs.Value:
  """x[index] of a value that is not broadcast."""
  part = cut(graph, x, {0: (index, index + 1, 1)}, (1, *x.shape[1:]))
  return reshaped(graph, part, x.shape[1:])


def concatenate(
  graph: graphs.Graph, eqn: Any, *parts: graphs.Value
) -> graphs.Value:
  """`concatenate`."""
  whole = _whole(graph, eqn, parts)
  shape = tuple(eqn.outvars[0].aval.shape)
  return _joined(graph, shape, eqn.params['dimension'], whole)


def _whole(graph, eqn, parts):
  return [
    graph.full(x, var.aval.shape)
    for x, var in zip(parts, eqn.invars, strict=True)
  ]


def _joined(graph, shape, axis, parts):
  layout = next((x for x in parts if x.constant is None), parts[0]).layout
  if (axis,) not in layout:
    layout = graphs.singles([a for group in layout for a in group])
  names = [graph.arranged(x, layout) for x in parts]
  name = graph.node('Concat', *names, axis=layout.index((axis,)))
  return graphs.Value(shape, layout, name)


def slices(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`slice`."""
  x = graph.full(x, eqn.invars[0].aval.shape)
  starts, stops = eqn.params['start_indices'], eqn.params['limit_indices']
  steps = eqn.params['strides'] or (1,) * len(starts)
  cuts = {
    axis: bounds
    for axis, bounds in enumerate(zip(starts, stops, steps, strict=True))
    if bounds != (0, x.shape[axis], 1)
  }
  shape = tuple(eqn.outvars[0].aval.shape)
  return cut(graph, x, cuts, shape)


def split(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> list[graphs.Value]:
  """`split`."""
  x = graph.full(x, eqn.invars[0].aval.shape)
  axis, start, found = eqn.params['axis'], 0, []
  for out, width in zip(eqn.outvars, eqn.params['sizes'], strict=True):
    bounds = {axis: (start, start + width, 1)}
    found.append(cut(graph, x, bounds, tuple(out.aval.shape)))
    start += width
  return found


def reverse(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`rev`."""
  x = graph.full(x, eqn.invars[0].aval.shape)
  # Backwards from the end; ONNX cuts an end that is too far at 0.
  cuts = {a: (-1, -(2**31), -1) for a in eqn.params['dimensions']}
  return cut(graph, x, cuts, x.shape)


def gather(
  graph: graphs.Graph, eqn: Any, x: graphs.Value, index: graphs.Value
) -> graphs.Value:
  """`gather`: one block at a known place, or whole rows of a known table."""
  if index.constant is not None and index.constant.ndim == 1:
    return _block(graph, eqn, x, index.constant)
  return _rows(graph, eqn, x, index)


def _block(graph, eqn, x, index):
  """x[a : a + n, ..., b], where the axes of one place are dropped."""
  numbers = eqn.params['dimension_numbers']
  x = graph.full(x, eqn.invars[0].aval.shape)
  starts = dict(zip(numbers.start_index_map, map(int, index), strict=True))
  sizes = eqn.params['slice_sizes']
  cuts = {
    axis: (starts.get(axis, 0), starts.get(axis, 0) + n, 1)
    for axis, n in enumerate(sizes)
    if isinstance(n, int) and n != x.shape[axis]
  }
  part = cut(graph, x, cuts, tuple(sizes))
  return reshaped(graph, part, tuple(eqn.outvars[0].aval.shape))


def _rows(graph, eqn, table, rows):
  """table[rows], the lookup of an embedding."""
  numbers = eqn.params['dimension_numbers']
  shape = tuple(eqn.outvars[0].aval.shape)
  plain = (
    table.constant is not None
    and len(table.shape) == 2
    and tuple(numbers.offset_dims) == (len(shape) - 1,)
    and tuple(numbers.collapsed_slice_dims) == (0,)
    and tuple(eqn.params['slice_sizes'])[1:] == table.shape[1:]
  )
  if not plain:
    raise NotImplementedError('a gather of other than rows')
  rows = graph.full(rows, eqn.invars[1].aval.shape)
  index = graph.arranged(rows, graphs.singles(range(len(rows.shape))))
  sizes = [graphs.size(shape, (axis,)) for axis in range(len(shape) - 1)]
  index = graph.reshaped(index, sizes)
  name = graph.node('Gather', graph.constant(table.constant), index, axis=0)
  return graphs.Value(shape, graphs.singles(range(len(shape))), name)


def cut(
  graph: graphs.Graph, x: graphs.Value, cuts: dict, shape: tuple
) -> graphs.Value:
  """Part of an array: {axis: (start, stop, step)}."""
  if not cuts:
    return x
  apart = all((axis,) in x.layout for axis in cuts)
  layout = x.layout if apart else graphs.singles(x.order)
  name = graph.arranged(x, layout)
  for axis, bounds in cuts.items():
    name = layers.cut(graph, name, layout.index((axis,)), *bounds)
  return graphs.Value(shape, layout, name)


def pad(
  graph: graphs.Graph, eqn: Any, x: graphs.Value, fill: graphs.Value
) -> graphs.Value:
  """`pad` by a constant; raises NotImplementedError for holes and for cuts."""
  widths = eqn.params['padding_config']
  if any(hole or low < 0 or high < 0 for low, high, hole in widths):
    raise NotImplementedError('padding that cuts or spreads')
  x = graph.full(x, eqn.invars[0].aval.shape)
  layout = graphs.singles(x.order)
  ends = [widths[a][0] for a in x.order] + [widths[a][1] for a in x.order]
  name = graph.node(
    'Pad',
    graph.arranged(x, layout),
    graph.whole_numbers(*ends),
    graph.arranged(fill, ()),
  )
  return graphs.Value(tuple(eqn.outvars[0].aval.shape), layout, name)
