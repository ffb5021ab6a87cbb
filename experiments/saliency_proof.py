"""Measures whether maps find the true motion of SYNTHETIC clips.

python -m experiments.saliency_proof --workdir=runs/mecnn --out=runs/proof

The run must be of a synthetic release with its truth beside it. Each clip is
explained by the fold that never saw it. Clips with a blink at the apex are left
out: there the lids move most, but mean nothing.
"""

import dataclasses
import functools
import pathlib
import sys

import jax
import numpy as np
from scipy import stats

from experiments import proof_figures
from mefnet_jax import datasets, saliency
from mefnet_jax.explain import face_regions, methods, networks, runs, truth
from mefnet_jax.runs import cli, errors, files, outputs, xla

SIZE = 64  # pixels a side of the face crop in which maps meet the truth
METHODS = tuple(name for name in methods.NAMES if name != 'regions')
_RANDOM = 'random order'
# The sign of a gradient is a direction, so pixels are ranked by its magnitude.
_SLOPES = ('gradient', 'smooth_grad')


def main():
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument('--workdir', type=pathlib.Path, required=True)
  parser.add_argument('--out', type=outputs.folder, required=True)
  parser.add_argument('--clips', default='all', help='a number, names or all')
  args = parser.parse_args()
  xla.prepare()
  result = measure(runs.load(args.workdir), args.clips)
  files.write(args.out / 'saliency_proof.png', proof_figures.draw(result))
  files.write_json(args.out / 'saliency_proof.json', result)
  print(proof_figures.table(result))


def measure(run: runs.Run, wanted: str) -> dict:
  """Returns every measure of every method and baseline, with 95 % intervals.

  Raises:
    UserError: the run's release has no truth.
  """
  index = runs.choose_clips(run, wanted)
  truths = _truths(run, index)
  usable = np.array([not one.blink for one in truths])
  index = index[usable]
  truths = [one for one in truths if not one.blink]
  names = tuple(run.clips.clip[i] for i in index)
  faces = list(face_regions.find(run.config.dataset, names).values())
  target = run.probabilities[index].argmax(1)
  maps = methods.explain(run, index, target, METHODS)
  masks = np.stack(
    [t.moving(f, SIZE) for t, f in zip(truths, faces, strict=True)]
  )
  apex = np.array([one.apex for one in truths])
  subject = np.array([run.clips.subject[i] for i in index])
  measures = {}
  for name, streams in maps.items():
    if streams:
      places_, times = _marginals(streams, faces)
      measures[name] = _against_truth(places_, times, masks, apex)
  measures |= _baselines(masks, apex, maps)
  for name, curves in _curves(run, index, target, maps).items():
    measures.setdefault(name, {}).update(curves)
  summary = {
    name: {key: _interval(v, subject) for key, v in found.items()}
    for name, found in measures.items()
  }
  return {
    'release': 'synthetic' if run.synthetic else 'real',
    'model': run.config.model.name,
    'methods': list(METHODS),
    'clips': len(index),
    'left_out_blinking': int((~usable).sum()),
    'moving_share': float(masks.mean()),
    'accuracy': float((target == run.clips.label[index]).mean()),
    'completeness': _completeness(run, index, target),
    'randomisation': _randomised(run, index, target, maps),
    'measures': summary,
  }


def _truths(run, index):
  where = truth.folder(datasets.release(run.config.dataset).root)
  if where is None:
    raise errors.UserError(
      f'{run.config.dataset.release}: no truth beside the release: only '
      'synthetic releases have one'
    )
  return [truth.load(where, run.clips.clip[i]) for i in index]


def _marginals(streams, faces):
  """(n, SIZE, SIZE) and (n, T): |map| over time, and over space."""
  space, time = [], []
  for i, face in enumerate(faces):
    weight = {s: np.abs(a[i]) for s, a in streams.items()}
    space.append(
      sum(face.in_face(w.sum(0)[None], s, SIZE)[0] for s, w in weight.items())
    )
    time.append(sum(w.sum((1, 2)) for w in weight.values()))
  return np.stack(space), np.stack(time)


def _against_truth(space, time, masks, apex):
  frames = np.arange(time.shape[1]) / (time.shape[1] - 1)
  flat = np.ptp(time, 1) < 1e-6 * np.maximum(time.max(1), 1e-30)
  when = np.where(flat, 0.5, frames[time.argmax(1)])
  return {
    'pointing': saliency.points_inside(space, masks).astype(float),
    'energy': saliency.energy_inside(space, masks),
    'apex_error': np.abs(when - apex),
  }


def _baselines(masks, apex, maps):
  """Baselines: a blob in the middle of the face, and a uniform map."""
  y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
  blob = np.exp(-(x**2 + y**2) / (2 * 0.15**2))
  count, frames = len(masks), 18
  even = np.ones((count, frames))
  return {
    'centre of the face': _against_truth(
      np.repeat(blob[None], count, 0), even, masks, apex
    ),
    'uniform': {'energy': masks.mean((1, 2))},
  }


def _curves(run, index, target, maps):
  """Means of deletion and insertion curves of the target's probability."""
  f = functools.partial(_probabilities, run.model.network)
  random = np.random.default_rng(0)
  some = next(iter(maps.values()))
  views = {s: a.shape for s, a in run.views(index[:1]).items()}
  ranks = {
    n: {k: np.abs(a) if n in _SLOPES else a for k, a in s.items()}
    for n, s in maps.items()
    if set(s) == set(views)
  }
  ranks[_RANDOM] = {s: random.random(a.shape) for s, a in some.items()}
  made = {name: {} for name in ranks}
  for name, streams in ranks.items():
    for how in ('deletion', 'insertion'):
      made[name][how] = np.zeros(len(index))
    for fold in np.unique(run.held_out[index]):
      at = np.flatnonzero(run.held_out[index] == fold)
      given = dict(args=(run.weights(fold),), points=10)
      own = {s: a[at][..., None] for s, a in streams.items()}
      x = run.views(index[at])
      for how, curve in (
        ('deletion', saliency.deletion),
        ('insertion', saliency.insertion),
      ):
        made[name][how][at] = curve(f, x, own, target[at], **given).mean(1)
  return made


def _probabilities(model, x, params):
  return jax.nn.softmax(networks.apply(model, x, params)[0])


def _completeness(run, index, target):
  """Largest gap of integrated gradients, in shares of the largest rise."""
  gaps, rises = [], []
  f = functools.partial(networks.apply, run.model.network)
  for fold in np.unique(run.held_out[index]):
    at = np.flatnonzero(run.held_out[index] == fold)
    x, params = run.views(index[at]), run.weights(fold)
    given = dict(args=(params,))
    parts = networks.decompose(
      run.model.network, params, run.views(index[at][:1])
    )
    maps = networks.integrated_gradients(
      parts, x, target[at], params, steps=methods.STEPS, rows=64
    )
    gap, rise = saliency.completeness_gap(f, x, maps, target[at], **given)
    gaps.append(np.abs(gap))
    rises.append(np.abs(rise))
  scale = np.concatenate(rises).max()
  return {
    'median_gap': float(np.median(np.concatenate(gaps)) / scale),
    'largest_gap': float(np.concatenate(gaps).max() / scale),
  }


def _randomised(run, index, target, maps):
  """Rank correlation of maps with those of a network with random weights.

  Returns for each method [correlation with signs, without signs]. A product
  with the input is large where the input is, whatever the weights, so the
  second can be high where the first is not. All layers are drawn anew, except
  that the trained weights of the last one (which starts at zero) are shuffled.
  A dozen clips are enough.
  """
  some = index[:: max(1, len(index) // 12)]
  at = np.searchsorted(index, some)
  other = dataclasses.replace(run, replaced=_random_weights(run))
  redone = methods.explain(other, some, target[at], tuple(maps))
  found = {}
  for name, streams in redone.items():
    pairs = [
      (a[i].ravel(), maps[name][s][at[i]].ravel())
      for s, a in streams.items()
      for i in range(len(some))
      if np.ptp(a[i]) > 0 and np.ptp(maps[name][s][at[i]]) > 0
    ]
    if pairs:
      found[name] = [
        float(np.mean([stats.spearmanr(*map(how, p)).statistic for p in pairs]))
        for how in (np.asarray, np.abs)
      ]
  return found


def _random_weights(run):
  """Weights of each fold: drawn anew, those of the last layer shuffled."""
  sample = jax.tree.map(np.asarray, run.views(np.array([0])))
  drawn = jax.jit(run.model.network.init)(jax.random.key(7), sample)['params']
  random = np.random.default_rng(1)
  shuffled = jax.tree.map(
    lambda *folds: random.permutation(np.stack(folds), axis=1),
    *(run.weights(k)['classes'] for k in range(len(run.folds))),
  )
  return {
    k: {**drawn, 'classes': jax.tree.map(lambda a, k=k: a[k], shuffled)}
    for k in range(len(run.folds))
  }


def _interval(values, subject):
  """[mean, low, high]: 95 %, people drawn with replacement."""
  names, who = np.unique(subject, return_inverse=True)
  total = np.bincount(who, values, len(names))
  count = np.bincount(who, minlength=len(names))
  random = np.random.default_rng(0)
  times = random.multinomial(
    len(names), np.full(len(names), 1 / len(names)), size=2000
  )
  drawn = (times @ total) / np.maximum(times @ count, 1)
  low, high = np.percentile(drawn, (2.5, 97.5))
  return [float(np.mean(values)), float(low), float(high)]


if __name__ == '__main__':
  sys.exit(cli.status(main))
