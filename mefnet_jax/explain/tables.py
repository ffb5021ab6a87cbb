"""The share of each map in the parts of the face, by class and action unit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mefnet_jax.explain import face_regions, truth
from mefnet_jax.runs import figure_file, files, fonts

Maps = dict[str, dict[str, np.ndarray]]  # method -> stream -> (n, T, H, W)
_COLOURS = ('#b3400a', '#0b62a4', '#3b8f5a', '#8a5a9e', '#c79a1b', '#777777')


def shares(
  maps: dict[str, np.ndarray], faces: Sequence[face_regions.Face]
) -> np.ndarray:
  """Returns the share of |map| in each region, (n, regions).

  Args:
    maps: (n, T, H, W) of each stream; shares are of all streams together.
    faces: the faces of the n clips.

  Returns:
    Shares that sum to 1; NaN for empty maps, which Grad-CAM can produce.
  """
  total = np.zeros((len(faces), len(face_regions.REGIONS)))
  for stream, a in maps.items():
    # Signs would cancel; over time, since the parts of a face do not move in a
    # registered clip.
    weight = np.abs(a).sum(1)
    for i, face in enumerate(faces):
      label = face.labels(stream, weight.shape[1:])
      total[i] += np.bincount(
        label.ravel(), weight[i].ravel(), minlength=total.shape[1]
      )
  whole = total.sum(1, keepdims=True)
  return total / np.where(whole > 0, whole, np.nan)


def areas(
  maps: dict[str, np.ndarray], faces: Sequence[face_regions.Face]
) -> np.ndarray:
  """Returns the shares of a uniform map, (n, regions); see `shares`."""
  return shares({s: np.ones_like(a) for s, a in maps.items()}, faces)


def by_class(
  maps: Maps,
  faces: Sequence[face_regions.Face],
  groups: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
  """Returns rows of method, class, clips, region, share, area and lift.

  Args:
    maps: the return value of `methods.explain`; empty maps do not count.
    faces: the faces of the clips.
    groups: indices of the clips of each class.
  """
  rows = []
  for method, streams in maps.items():
    if not streams:
      continue
    share, area = shares(streams, faces), areas(streams, faces)
    for name, index in {**groups, 'all': np.arange(len(faces))}.items():
      # A mean over NaN would hide the clips whose maps are not empty.
      index = index[np.isfinite(share[index, 0])]
      if len(index):
        rows += _rows(method, name, index, share, area)
  return rows


def by_action_unit(
  maps: Maps, faces: Sequence[face_regions.Face], truths: Sequence[truth.Truth]
) -> list[dict[str, Any]]:
  """Returns rows of method, action unit, clips, region, share, area and lift.

  Each row is a mean over the clips that truly show the unit; its `seen` is 1
  if FACS describes the unit in that region.

  Args:
    maps: the return value of `methods.explain`.
    faces: the faces of the clips.
    truths: the ground truths of the clips.
  """
  units = sorted({unit for one in truths for unit in one.action_units})
  groups = {
    unit: np.array([i for i, t in enumerate(truths) if unit in t.action_units])
    for unit in units
  }
  rows = by_class(maps, faces, {str(u): index for u, index in groups.items()})
  by_unit = []
  for row in rows:
    if row['class'] != 'all':
      row['action_unit'] = row.pop('class')
      regions = truth.SEEN.get(int(row['action_unit']), ())
      row['seen'] = int(row['region'] in regions)
      by_unit.append(row)
  return by_unit


def to_csv(rows: list[dict[str, Any]]) -> str:
  """Formats rows as CSV, with four decimals."""
  return files.to_csv(
    rows[0],
    (
      [f'{v:.4f}' if isinstance(v, float) else v for v in row.values()]
      for row in rows
    ),
  )


def draw(rows: list[dict], key: str, title: str) -> bytes:
  """Draws the lift (share over area) of the regions, one panel per method.

  Args:
    rows: result of `by_class` or `by_action_unit`.
    key: the column whose values are the rows of a panel.
    title: title of the figure.

  Returns:
    A PNG.
  """
  with fonts.legible((rows, title)) as ((rows, title), note):
    return _draw(rows, key, ' | '.join(filter(None, (title, note))))


def _draw(rows, key, title):
  from matplotlib import figure as figures

  names = list(dict.fromkeys(row['method'] for row in rows))
  groups = list(dict.fromkeys(row[key] for row in rows))
  columns = min(2, len(names))
  lines = -(-len(names) // columns)
  figure = figures.Figure(
    figsize=(5.6 * columns, 0.9 + 2.5 * lines), dpi=120, layout='constrained'
  )
  panels = np.atleast_1d(figure.subplots(lines, columns)).ravel()
  for axes, name in zip(panels, names, strict=False):
    table = _grid([r for r in rows if r['method'] == name], key, groups)
    _panel(figure, axes, table, groups, name)
  for axes in panels[len(names) :]:
    axes.set_axis_off()
  return _encoded(figure, title)


def draw_channels(
  weights: dict[str, np.ndarray], groups: dict[str, np.ndarray], title: str
) -> bytes:
  """Draws the mean channel weights A_C (eq. 1) of each class; returns a PNG.

  Args:
    weights: (n, channels) by their name in `out`.
    groups: indices of the clips of each class.
    title: title of the figure.
  """
  with fonts.legible((groups, title)) as ((groups, title), note):
    title = ' | '.join(filter(None, (title, note)))
    return _draw_channels(weights, groups, title)


def _draw_channels(weights, groups, title):
  from matplotlib import figure as figures

  figure = figures.Figure(
    figsize=(8, 0.8 + 1.9 * len(weights)), dpi=120, layout='constrained'
  )
  panels = np.atleast_1d(figure.subplots(len(weights), 1))
  for axes, (name, a) in zip(panels, weights.items(), strict=True):
    for colour, (group, index) in zip(_COLOURS, groups.items(), strict=False):
      if len(index):
        axes.plot(a[index].mean(0), 'o-', ms=3, lw=1, color=colour, label=group)
    axes.set(xlabel='channel', ylabel='weight')
    axes.set_title(name, loc='left', fontsize=9)
    axes.legend(fontsize=7)
  return _encoded(figure, title)


def _encoded(figure, title):
  figure.suptitle(title, x=0.01, ha='left', fontsize=10, color=_COLOURS[0])
  return figure_file.encoded(figure)


def _rows(method, name, index, share, area):
  """The rows of one method and class, one for each region."""
  rows = []
  for r, region in enumerate(face_regions.REGIONS):
    mean, uniform = share[index, r].mean(), area[index, r].mean()
    rows.append(
      {
        'method': method,
        'class': name,
        'clips': len(index),
        'region': region,
        'share': float(mean),
        'area': float(uniform),
        # A large region gets a large share of any map: lift divides that out.
        'lift': float(mean / uniform) if uniform > 0 else 0.0,
      }
    )
  return rows


def _grid(rows, key, groups):
  """Lifts (groups, regions); NaN where a region is not in the crop."""
  table = np.full((len(groups), len(face_regions.REGIONS)), np.nan)
  for row in rows:
    at = groups.index(row[key]), face_regions.REGIONS.index(row['region'])
    # A share over next to no area is noise, however large.
    table[at] = row['lift'] if row['area'] > 0.001 else np.nan
  return table


def _panel(figure, axes, table, groups, name):
  """Draws the lifts of one method as a heat map around 1."""
  image = axes.imshow(
    # A lift of 1 is what chance gives, so it lies in the middle, without
    # colour.
    table,
    cmap='RdBu_r',
    vmin=0,
    vmax=2,
    aspect='auto',
    interpolation='none',
  )
  for (i, j), value in np.ndenumerate(table):
    if np.isfinite(value):
      # Legible on the dark ends of the scale too.
      colour = 'white' if abs(value - 1) > 0.7 else 'black'
      axes.text(
        j, i, f'{value:.2f}', ha='center', va='center', fontsize=7, color=colour
      )
  axes.set_xticks(
    range(len(face_regions.REGIONS)), face_regions.REGIONS, fontsize=8
  )
  axes.set_yticks(range(len(groups)), groups, fontsize=8)
  axes.set_title(name, loc='left', fontsize=9)
  figure.colorbar(image, ax=axes, label='share / area', shrink=0.9)
