"""How much of each map lies in which part of the face, by class and by unit."""

import io

import numpy as np

from mefnet_jax.explain import places, truth
from mefnet_jax.runs import files

_COLOURS = ('#b3400a', '#0b62a4', '#3b8f5a', '#8a5a9e', '#c79a1b', '#777777')


def shares(maps: dict[str, np.ndarray], faces) -> np.ndarray:
  """(n, regions): the share of |map| that lies in each region.

  Args:
    maps: (n, T, H, W) of each stream; all streams of a clip are one whole.
    faces: of the n clips.

  A clip whose map is empty (Grad-CAM knows such) has NaN.
  """
  total = np.zeros((len(faces), len(places.REGIONS)))
  for stream, a in maps.items():
    weight = np.abs(a).sum(1)
    for i, face in enumerate(faces):
      label = face.labels(stream, weight.shape[1:])
      total[i] += np.bincount(
        label.ravel(), weight[i].ravel(), minlength=total.shape[1]
      )
  whole = total.sum(1, keepdims=True)
  return total / np.where(whole > 0, whole, np.nan)


def areas(maps: dict[str, np.ndarray], faces) -> np.ndarray:
  """(n, regions): the shares of a map that is the same everywhere."""
  return shares({s: np.ones_like(a) for s, a in maps.items()}, faces)


def by_class(maps, faces, groups: dict[str, np.ndarray]) -> list[dict]:
  """Rows method, class, clips, region, share, area, lift.

  Args:
    maps: as `methods.explain` gives.
    faces: of the clips; those with an empty map do not count.
    groups: name of the class to indices of its clips.
  """
  rows = []
  for method, streams in maps.items():
    if not streams:
      continue
    share, area = shares(streams, faces), areas(streams, faces)
    for name, index in {**groups, 'all': np.arange(len(faces))}.items():
      index = index[np.isfinite(share[index, 0])]
      if len(index):
        rows += _rows(method, name, index, share, area)
  return rows


def by_action_unit(maps, faces, truths) -> list[dict]:
  """Rows method, action unit, clips, region, share, area, lift, seen there.

  A row is the mean over the clips that truly show the unit; `seen` says
  whether FACS sees the unit in that region.
  """
  units = sorted({unit for one in truths for unit in one.action_units})
  groups = {
    unit: np.array([i for i, t in enumerate(truths) if unit in t.action_units])
    for unit in units
  }
  rows = by_class(maps, faces, {str(u): index for u, index in groups.items()})
  made = []
  for row in rows:
    if row['class'] != 'all':
      row['action_unit'] = row.pop('class')
      there = truth.SEEN.get(int(row['action_unit']), ())
      row['seen'] = int(row['region'] in there)
      made.append(row)
  return made


def to_csv(rows: list[dict]) -> str:
  """The rows as text, numbers with four digits."""
  return files.to_csv(
    rows[0],
    (
      [f'{v:.4f}' if isinstance(v, float) else v for v in row.values()]
      for row in rows
    ),
  )


def draw(rows: list[dict], key: str, title: str) -> bytes:
  """A panel a method: the regions' lift (share over area) for each `key`."""
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


def draw_channels(weights: dict[str, np.ndarray], groups, title) -> bytes:
  """The channel weights A_C of eq. 1: a line a class, its mean over clips.

  Args:
    weights: name in `out` to (n, channels).
    groups: name of the class to indices of its clips.
  """
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
  file = io.BytesIO()
  figure.savefig(file, format='png', metadata={'Software': None})
  return file.getvalue()


def _rows(method, name, index, share, area):
  made = []
  for r, region in enumerate(places.REGIONS):
    own, uniform = share[index, r].mean(), area[index, r].mean()
    made.append(
      {
        'method': method,
        'class': name,
        'clips': len(index),
        'region': region,
        'share': float(own),
        'area': float(uniform),
        'lift': float(own / uniform) if uniform > 0 else 0.0,
      }
    )
  return made


def _grid(rows, key, groups):
  table = np.full((len(groups), len(places.REGIONS)), np.nan)
  for row in rows:
    at = groups.index(row[key]), places.REGIONS.index(row['region'])
    table[at] = row['lift'] if row['area'] > 0.001 else np.nan
  return table


def _panel(figure, axes, table, groups, name):
  image = axes.imshow(
    table, cmap='RdBu_r', vmin=0, vmax=2, aspect='auto', interpolation='none'
  )
  for (i, j), value in np.ndenumerate(table):
    if np.isfinite(value):
      colour = 'white' if abs(value - 1) > 0.7 else 'black'
      axes.text(
        j, i, f'{value:.2f}', ha='center', va='center', fontsize=7, color=colour
      )
  axes.set_xticks(range(len(places.REGIONS)), places.REGIONS, fontsize=8)
  axes.set_yticks(range(len(groups)), groups, fontsize=8)
  axes.set_title(name, loc='left', fontsize=9)
  figure.colorbar(image, ax=axes, label='share / area', shrink=0.9)
