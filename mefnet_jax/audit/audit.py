"""Looks for every kind of leak that the evidence lets one judge."""

import numpy as np

from mefnet_jax.audit import checks, evidence, probes, reported
from mefnet_jax.runs import clean, predictions

_MOST_PROBED = 5000  # clips: a probe compares each with all others


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
  for kind, (check, needs) in checks.KINDS.items():
    said = [f'{kind}: {what}' for what in check(seen)]
    found += [(kind, what) for what in said]
    if not said and not checks.has_evidence(seen, needs):
      lacking[kind] = needs
  checked = [kind for kind in checks.KINDS if kind not in lacking]
  for name in reported.unknown(seen.report):
    lacking[f'reported {name}'] = 'it is no score of predictions by that name'
  return {
    'leaks': [what for _, what in found],
    'kinds': list(dict.fromkeys(kind for kind, _ in found)),
    'checked': checked,
    'not_checked': lacking,
    'probes': _probes(seen, features),
  }


def to_text(seen: evidence.Evidence, audit: dict) -> str:
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
  said += [f'probe {line}' for line in probe_sentences(audit)]
  return '\n'.join(map(clean.terminal, said))


def probe_sentences(audit: dict) -> list[str]:
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
  if not 4 <= len(rows) <= _MOST_PROBED:
    return {}
  if not all(needed <= row.keys() for row in rows):
    return {}
  subject = [row['subject'] for row in rows]
  sets = {'the features': features}
  if features is None:
    features = probes.hash_bits([row['mark'] for row in rows])
    half = features.shape[1] // 2
    sets = {'looks': features[:, :half], 'motion': features[:, half:]}
  found = {}
  for name, part in sets.items():
    found[f'who, from {name}'] = probes.identify_subjects(part, subject)
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
      found['label permutation, a linear model'] = probes.permute_labels(
        part, label, train, test
      )
  return {name: x for name, x in found.items() if x}
