"""What the MEFNet paper claims, to be printed as claims and never as scores.

Source: Gomathi R. et al., "MEFNet - Micro Expression Fusion Network Based on
Micro-Attention Mechanism and 3D-CNN Fusion Algorithms": its table of three
networks on two releases, and its overall sensitivity and specificity. In per
cent, as printed there.
"""

NOTE = (
  'Claims are copied from the paper, not measured here. The paper splits '
  'clips at random, so the same people are in training and in test.'
)

_KEYS = ('accuracy', 'recall', 'f1', 'war', 'uar')
_TABLE = {
  ('cas_me2', 'base'): (90.23, 91, 90, 91, 90),
  ('cas_me2', 'mecnn'): (98.9, 98, 99, 98, 99),
  ('cas_me2', 'mfcnn'): (100, 99, 100, 99, 100),
  ('smic', 'base'): (89.9, 89, 89, 90, 89),
  ('smic', 'mecnn'): (98.2, 98, 98, 98, 98),
  ('smic', 'mfcnn'): (99.8, 99, 99, 99, 100),
}
# Given once a release, for "MEFNet" as a whole; its best network is meant.
_OVERALL = {
  'cas_me2': {'sensitivity': 99.5, 'specificity': 99.2},
  'smic': {'sensitivity': 99.3, 'specificity': 99.6},
}


def claimed(dataset: str, model: str) -> dict[str, float]:
  """Claimed scores between 0 and 1 by name; empty where nothing is claimed.

  A variant ('mfcnn-late') is what its network ('mfcnn') is: the paper's table
  does not say which fusion it means.
  """
  network = model.partition('-')[0]
  if (dataset, network) not in _TABLE:
    return {}
  claimed = dict(zip(_KEYS, _TABLE[dataset, network], strict=True))
  if network == 'mfcnn':
    claimed |= _OVERALL[dataset]
  return {key: round(value / 100, 6) for key, value in claimed.items()}
