r"""Looks for leaks in a run, ours or anybody's, and names them.

python -m mefnet_jax.audit runs/mfcnn
python -m mefnet_jax.audit runs/mfcnn --permuted=runs/shuffled
python -m mefnet_jax.audit runs/mfcnn --permute      (trains that control)
python -m mefnet_jax.audit runs/mfcnn --network      (probes its features)
python -m mefnet_jax.audit --predictions=F.csv --folds=G.csv [--clips=H.csv]
    [--facts=I.json] [--report=R.json] [--features=J.csv]

Exit status: 0 no leak found, 2 leaks found, 1 files that cannot be used.
docs/protocols.md tells each kind of leak and the columns of the files.
"""

import json
import pathlib
import sys

import numpy as np
from absl import flags

from mefnet_jax import (
  commands,
  errors,
  evidence,
  kinds,
  predictions,
  probes,
)

LEAKS_FOUND = 2
_OF_FILES = ('folds', 'clips', 'facts', 'report')
_OF_RUNS = ('permuted', 'permute', 'network')


def find(seen: evidence.Evidence, features: np.ndarray | None = None) -> dict:
  """The audit of a run, as it stands in report.json.

  Args:
    seen: the evidence.
    features: (`evidence.rows`, D) for the probes; by default their marks.

  Returns:
    leaks: 'kind: what' each; kinds: those found; checked: kinds that the
    evidence lets one judge; not_checked: other kinds to what is lacking;
    probes: of `probes`, where there are features.
  """
  found, lacking = [], {}
  for kind, (check, needs) in kinds.KINDS.items():
    said = [f'{kind}: {what}' for what in check(seen)]
    found += [(kind, what) for what in said]
    if not said and not kinds.has(seen, needs):
      lacking[kind] = needs
  return {
    'leaks': [what for _, what in found],
    'kinds': list(dict.fromkeys(kind for kind, _ in found)),
    'checked': [kind for kind in kinds.KINDS if kind not in lacking],
    'not_checked': lacking,
    'probes': _probes(seen, features),
  }


def main(words):
  """Audits what the command line names; returns the exit status."""
  given = flags.FLAGS
  if len(words) > 1 or bool(words) == bool(given.predictions):
    raise errors.UserError('name one workdir, or --predictions=FILE')
  kind, others = ('a workdir', _OF_FILES) if words else ('files', _OF_RUNS)
  for name in others:
    if given[name].value:
      raise errors.UserError(f'--{name} cannot go with an audit of {kind}')
  if words:
    permuted = given.permuted
    if given.permute:
      permuted = _permute(pathlib.Path(words[0]))
    seen = evidence.of_run(words[0], permuted=permuted)
  else:
    seen = evidence.of_files(
      given.predictions,
      folds=given.folds,
      clips=given.clips,
      told=given.facts,
      report=given.report,
    )
  features = None
  if given.features:
    features = _features(given.features, seen)
  elif given.network:
    from mefnet_jax import controls

    table = controls.features(pathlib.Path(words[0]))
    features = np.stack([table[row['clip']] for row in evidence.rows(seen)])
  audit = find(seen, features)
  print(told(seen, audit))
  if given.out:
    pathlib.Path(given.out).write_text(json.dumps(audit, indent=1) + '\n')
  return LEAKS_FOUND if audit['leaks'] else 0


def told(seen: evidence.Evidence, audit: dict) -> str:
  """An audit in lines for the terminal."""
  count = len(audit['kinds'])
  head = (
    f'{count} kind{"s" * (count != 1)} of leak found'
    if count
    else ('no leak found')
  )
  said = [f'{seen.made.path}: {head}, {len(audit["checked"])} looked for']
  said += [f'LEAK  {what}' for what in audit['leaks']]
  if seen.assumed:
    said.append('note  no folds given: each fold is taken to train on the rest')
  odd = predictions.improbable(seen.made)
  if odd:
    said.append(
      f'note  predicted is not the most probable class of {len(odd)} clips: '
      f'{", ".join(odd[:3])}'
    )
  said += [
    f'note  not checked: {kind} (lacks: {needs})'
    for kind, needs in audit['not_checked'].items()
  ]
  return '\n'.join(said + [f'probe {line}' for line in probed(audit)])


def probed(audit: dict) -> list[str]:
  """What the probes found, a sentence each."""
  said = []
  for name, x in audit['probes'].items():
    if name.startswith('who'):
      said.append(
        f'{name}: {x["balanced_accuracy"]:.0%} of the clips of {x["people"]} '
        f'people go to the right person (mean over people; chance '
        f'{x["chance"]:.0%})'
      )
    else:
      said.append(
        f'{name}: permuted labels give a UAR of {x["permuted_mean"]:.3f} '
        f'[{x["permuted_low"]:.3f}, {x["permuted_high"]:.3f}] (chance '
        f'{x["chance"]:.3f}), the true ones {x["uar"]:.3f}, p = {x["p"]:.2f}'
      )
  return said


def _probes(seen, features):
  """Who the features show, and what the folds make of permuted labels."""
  rows = evidence.rows(seen)
  needed = {'subject'} if features is not None else {'subject', 'mark'}
  if len(rows) < 4 or not all(needed <= row.keys() for row in rows):
    return {}
  subject = [row['subject'] for row in rows]
  sets = {'the features': features}
  if features is None:
    features = probes.bits([row['mark'] for row in rows])
    half = features.shape[1] // 2
    sets = {'looks': features[:, :half], 'motion': features[:, half:]}
  found = {}
  for name, part in sets.items():
    found[f'who, from {name}'] = probes.subjects(part, subject)
  if all(row.get('label') for row in rows):
    train, test = (
      np.array(
        [
          [row['clip'] in fold[role] for row in rows]
          for fold in seen.folds.values()
        ]
      )
      for role in ('train', 'test')
    )
    if (train.any(1) & test.any(1)).any():
      label = [row['label'] for row in rows]
      found['label permutation, a linear model'] = probes.permutations(
        part, label, train, test
      )
  return {name: x for name, x in found.items() if x}


def _features(path, seen):
  """(N, D) of a CSV file: clip, then numbers; in the order of the clips."""
  names = [row['clip'] for row in evidence.rows(seen)]
  table = {row['clip']: row for row in predictions.rows(path, ['clip'])}
  lacking = [name for name in names if name not in table]
  if lacking:
    raise errors.UserError(f'{path}: missing clip: {", ".join(lacking[:5])}')
  try:
    found_ND = np.array(
      [
        [float(x) for key, x in table[name].items() if key != 'clip']
        for name in names
      ]
    )
  except ValueError as error:
    raise errors.UserError(f'{path}: no number ({error})') from error
  if not found_ND.size or not np.isfinite(found_ND).all():
    raise errors.UserError(f'{path}: no column of finite numbers beside clip')
  return found_ND


def _permute(workdir):
  """Trains the run's control, or what is left of it, in W/permuted."""
  from mefnet_jax import controls

  return controls.permuted(workdir)


def _define():
  flags.DEFINE_string('predictions', '', 'A predictions.csv to audit.')
  flags.DEFINE_string('folds', '', 'Its folds: clip,subject,fold,role.')
  flags.DEFINE_string('clips', '', 'clip[,subject,label,sha256,mark].')
  flags.DEFINE_string('facts', '', 'What was fitted and chosen on what.')
  flags.DEFINE_string('report', '', 'Scores as reported: {"metrics": {...}}.')
  flags.DEFINE_string('features', '', 'Features of each clip, for probes.')
  flags.DEFINE_string(
    'permuted', '', 'Workdir of the run with permuted labels.'
  )
  flags.DEFINE_bool('network', False, 'Probe the features of its network.')
  flags.DEFINE_bool('permute', False, 'Train that run, in W/permuted.')
  flags.DEFINE_string('out', '', 'Write the audit as JSON.')


if __name__ == '__main__':
  _define()
  words = commands.words()
  commands.run(lambda: sys.exit(main(words)))
