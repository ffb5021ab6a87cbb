"""Scores, paired tests and figures of `experiments.zero`."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments import tables
from mefnet_jax.evaluation import intervals, metrics, paired_tests
from mefnet_jax.runs import files, json_file, predictions
from mefnet_jax.training import synthetic_maps

_CLASSES = len(synthetic_maps.CLASSES)
_KEYS = ('accuracy', 'uf1', 'uar')
_TITLES = {
  'synthetic': 'Rendered people who were held out',
  'real': 'Real motion maps, none of them trained on',
}


def scored(
  label: np.ndarray, found_SNC: np.ndarray, who: Sequence[str]
) -> dict[str, Any]:
  """Scores of the mean of all seeds, and of each; looks: how many these are.

  Args:
    label: (N,) true classes.
    found_SNC: probabilities by each seed.
    who: (N,) the person of each map.
  """

  def chosen(scores):
    return {key: scores[key] for key in _KEYS if key in scores}

  predicted = found_SNC.mean(0).argmax(1)
  each = [metrics.scores(label, p.argmax(1), _CLASSES) for p in found_SNC]
  return {
    'scores': chosen(metrics.scores(label, predicted, _CLASSES)),
    'intervals': chosen(intervals.bootstrap(label, predicted, who, _CLASSES)),
    'seeds': [chosen(one) for one in each],
    'spread': chosen(intervals.spread_over_seeds(each)),
    'maps': len(label),
    'people': len(set(who)),
    'looks': 1 + len(found_SNC),
  }


def write(
  out: pathlib.Path, names: Sequence[str], variants: Mapping[str, Any]
) -> None:
  """Writes zero.json, and of each side tables, figures and paired tests.

  Args:
    out: folder of the study.
    names: of the variants that are finished.
    variants: what each of them is (`zero.Variant`).
  """
  found = {
    name: json_file.read(
      out / 'variants' / name / 'result.json', {'asked': dict}
    )
    for name in names
  }
  compared = {}
  for side, title in _TITLES.items():
    if not all(side in one for one in found.values()):
      continue
    rows = [_row(variants[n], found[n], side) for n in names]
    tables.write(out, f'zero_{side}', rows, title=title, first=['variant'])
    compared[side] = _compared(out, pairs(variants, names), side)
    tables.text(out, f'zero_{side}_paired.md', _paired(compared[side]))
  looks = sum(one['real']['looks'] for one in found.values() if 'real' in one)
  whole = {'variants': found, 'compared': compared, 'looks': looks}
  files.write(out / 'zero.json', json.dumps(whole, indent=1).encode())
  print(f'looks at real labels so far: {looks}')


def _row(variant, found, side):
  """A row of `tables.write`."""
  own = found[side]
  row: dict[str, Any] = {'variant': variant.title}
  for key in _KEYS:
    low, high = own['intervals'][key]
    row |= {key: round(own['scores'][key], 4)}
    row |= {f'{key}_low': round(low, 4), f'{key}_high': round(high, 4)}
  spread = own['spread'].get('uar', {'mean': np.nan, 'std': np.nan})
  return row | {
    'uar_mean_of_seeds': round(spread['mean'], 4),
    'uar_std_over_seeds': round(spread['std'], 4),
    'clips': own['maps'],
    'subjects': own['people'],
    'parameters': found['parameters'],
    'seconds': round(found['seconds'], 1),
    'chance_uar': round(1 / _CLASSES, 4),
    'leaky': 'no',
    'data': 'SYNTHETIC' if side == 'synthetic' else 'real',
  }


def pairs(
  variants: Mapping[str, Any], names: Sequence[str]
) -> list[tuple[str, str]]:
  """What is compared: networks with the base, recipes with the whole recipe.

  Args:
    variants: what each variant is (`zero.Variant`).
    names: of those that are finished.
  """
  made = []
  for name in names:
    same_network = variants[name].network == variants['mlp'].network
    first = 'mlp' if same_network and name != 'mlp' else 'base'
    if first in names and first != name:
      made.append((first, name))
  return made


def _compared(out, chosen, side):
  """The differences of pairs, with Holm's correction over all of them."""
  runs = {
    name: predictions.read(out / 'variants' / name / f'{side}.csv')
    for name in {name for pair in chosen for name in pair}
  }
  found = [
    {'one': one, 'other': other} | paired_tests.compare(runs[one], runs[other])
    for one, other in chosen
  ]
  adjusted = paired_tests.holm([p['permutation']['uar'] for p in found])
  for pair, p in zip(found, adjusted, strict=True):
    pair['holm'] = p
  return found


def _paired(pairs):
  """The comparisons as a Markdown table."""
  lines = [
    '| than | UAR of | difference | 95 % | p, people permuted | Holm |',
    '|---|---|---|---|---|---|',
  ]
  for pair in pairs:
    uar, p = pair['scores']['uar'], pair['permutation']['uar']
    low, high = uar['interval']
    lines.append(
      f'| {pair["one"]} | {pair["other"]} | {uar["difference"]:+.3f} | '
      f'[{low:+.3f}, {high:+.3f}] | {p:.3f} | {pair["holm"]:.3f} |'
    )
  return '\n'.join(lines)
