"""Draws a network: one row of boxes per stream, then the fused layers."""

import pathlib
import typing

import matplotlib
import matplotlib.figure
from matplotlib import patches

from mefnet_jax.runs import errors, figure_file, files

if typing.TYPE_CHECKING:
  from mefnet_jax.models import describe

SUFFIXES = ('.svg', '.png', '.pdf')
_COLOURS = {
  'input': '#e8edf2',
  'conv': '#bcd7f0',
  'attention': '#f6cfa3',
  'pool': '#cfe8c9',
  'unit': '#e3c9ec',
  'dense': '#f3e3a0',
  'words': '#bcd7f0',
}
_EDGE = '#555555'
_WIDTH, _HEIGHT, _GAP, _ROW = 1.55, 0.95, 0.45, 1.75


def save(
  path: pathlib.Path,
  name: str,
  inputs: dict,
  layers: 'list[describe.Layer]',
) -> None:
  """Draws a network to a file.

  Args:
    path: .svg, .png or .pdf.
    name: the network's.
    inputs: for each stream an array or shape of one clip.
    layers: the layers, from `describe.describe`.

  Raises:
    errors.UserError: the file type is unknown.
    OSError: the file cannot be written. (A missing folder is created.)
  """
  if path.suffix.lower() not in SUFFIXES:
    raise errors.UserError(f'{path}: choose one of {", ".join(SUFFIXES)}')
  rows = {
    stream: [('input', stream, array.shape[1:])]
    for stream, array in inputs.items()
  }
  joined: list = []
  for layer in layers:
    stream = layer.path[0].removesuffix('_dense')
    box = _box(layer)
    if box:
      rows.get(stream, joined).append(box)
  figure = _figure(name, list(rows.values()), joined, layers)
  form = path.suffix.lower()[1:]
  # Without a salt the ids in an SVG are random.
  with matplotlib.rc_context({'svg.hashsalt': name}):
    drawn = figure_file.encoded(figure, form, bbox_inches='tight', dpi=120)
  files.write(path, drawn)


def _box(layer):
  """(colour key, label, shape) of a layer, or None if it gets no box."""
  names = set(layer.path)
  if 'residual' in names:
    if layer.kind.startswith('x +'):
      return 'unit', 'residual unit\nx + F(x)(1 + A)', layer.shape
    return None
  if layer.kind.startswith('CAM'):
    return 'attention', 'CAM\neq. 1', layer.shape
  if layer.kind.startswith('STAM'):
    return 'attention', 'STAM\neq. 2', layer.shape
  # Parts of CAM and STAM, which have boxes of their own.
  if 'attention' in names:
    return None
  if layer.kind.startswith('max-pool'):
    return 'pool', layer.kind, layer.shape
  if layer.kind.startswith('dense'):
    return (
      'dense',
      'ECM' if layer.path == ('classes',) else 'dense',
      layer.shape,
    )
  if layer.kind.startswith('words'):
    return 'words', layer.kind, layer.shape
  # A box for each normalisation would double the row, and tell little.
  if 'norm' in layer.kind:
    return None
  return 'conv', layer.kind, layer.shape


def _figure(name, rows, joined, layers):
  """The figure: a row for each stream, then the layers that join them."""
  columns = max(_columns(row) for row in rows)
  width = (columns + len(joined)) * (_WIDTH + _GAP)
  figure = matplotlib.figure.Figure(figsize=(width, len(rows) * _ROW + 0.6))
  axes = figure.add_axes((0, 0, 1, 1))
  # Fused layers stand at half height, since they belong to no stream.
  middle = -(len(rows) - 1) * _ROW / 2
  for i, row in enumerate(rows):
    end = _chain(axes, row, 0.0, -i * _ROW)
    if joined:
      start = columns * (_WIDTH + _GAP)
      axes.plot([end, start - _GAP], [-i * _ROW] * 2, color=_EDGE, lw=0.9)
      _arrow(axes, (start - _GAP, -i * _ROW), (start, middle))
  _chain(axes, joined, columns * (_WIDTH + _GAP), middle)
  count = sum(layer.parameters for layer in layers)
  mega = sum(layer.flops or 0 for layer in layers) / 1e6
  title = f'{name}: {count:,} parameters, {mega:,.1f} MFLOPs a clip'
  axes.set_title(title, loc='left', fontsize=11)
  axes.set_xlim(-0.1, width)
  axes.set_ylim(-(len(rows) - 1) * _ROW - 0.9, 0.9)
  axes.set_aspect('equal')
  axes.axis('off')
  return figure


def _columns(row):
  """The number of columns; CAM and STAM share one, one above the other."""
  return len(row) - sum(
    a[0] == b[0] == 'attention' for a, b in zip(row, row[1:], strict=False)
  )


def _chain(axes, row, x, y):
  """Draws boxes with arrows between them; returns where the last one ends."""
  at = 0
  while at < len(row):
    # CAM and STAM look at the same maps, so they stand side by side.
    attentions = [box for box in row[at : at + 2] if box[0] == 'attention']
    stacked = len(attentions) == 2
    boxes = row[at : at + 2] if stacked else row[at : at + 1]
    for k, box in enumerate(boxes):
      shift = (0.5 - k) * 0.85 if stacked else 0.0
      _draw(axes, box, x, y + shift, 0.75 if stacked else _HEIGHT)
    at += len(boxes)
    if at < len(row):
      _arrow(axes, (x + _WIDTH, y), (x + _WIDTH + _GAP, y))
      x += _WIDTH + _GAP
  return x + _WIDTH


def _draw(axes, box, x, y, height):
  colour, words, shape = box
  axes.add_patch(
    patches.FancyBboxPatch(
      (x + 0.04, y - height / 2),
      _WIDTH - 0.08,
      height,
      boxstyle='round,pad=0.02',
      facecolor=_COLOURS[colour],
      edgecolor=_EDGE,
      linewidth=0.8,
    )
  )
  sizes = '×'.join(str(n) for n in shape)
  axes.text(
    x + _WIDTH / 2,
    y,
    f'{words}\n{sizes}',
    ha='center',
    va='center',
    fontsize=7.5,
    linespacing=1.15,
  )


def _arrow(axes, start, end):
  style = {'arrowstyle': '-|>', 'color': _EDGE, 'lw': 0.9}
  axes.annotate('', xy=end, xytext=start, arrowprops=style)
