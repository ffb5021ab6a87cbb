"""The cross_database protocol: trains on some databases, tests on others."""

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax.runs import errors


def train_test_masks(
  protocol: ConfigDict, database: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Returns the training and the test mask of each fold.

  Args:
    protocol: has train_on and test_on, names of databases joined by '+'. If
      test_on is empty, each database that train_on does not name is tested in
      a fold of its own; if train_on is empty, every database that is not
      tested is trained on.
    database: (N,) names of the databases of origin.

  Returns:
    (train (N,), test (N,)) boolean masks by the name of what is tested.

  Raises:
    UserError: fewer than two databases, an unknown one, or one that would be
      both trained on and tested.
  """
  # '' is the database of every clip where a release has only one.
  names = sorted(set(database.tolist()) - {''})
  if len(names) < 2:
    raise errors.UserError(
      'protocol cross_database needs clips of two databases (megc_flow, or a '
      'folder whose table has a column database): set another '
      '--config.protocol.name'
    )
  tested = _requested(protocol, 'test_on', names)
  trained = _requested(protocol, 'train_on', names)
  if tested:
    folds = [tested]
  else:
    # If train_on names every database, nothing is left to test: the check in
    # the loop then refuses the databases that would be on both sides.
    others = [[name] for name in names if name not in trained]
    folds = others or [trained]
  masks = {}
  for test in folds:
    train = trained or [name for name in names if name not in test]
    if set(train) & set(test) or not train:
      raise errors.UserError(
        f'--config.protocol.train_on={"+".join(train)} and '
        f'test_on={"+".join(test)}: a database may not be on both sides, and '
        'each side needs at least one'
      )
    masks['+'.join(test)] = np.isin(database, train), np.isin(database, test)
  return masks


def _requested(protocol, field, names):
  """The databases that a field of the protocol names, all of them known."""
  given = getattr(protocol, field)
  requested = [name for name in given.split('+') if name]
  unknown = sorted(set(requested) - set(names))
  if unknown:
    raise errors.UserError(
      f'--config.protocol.{field}={given}: the databases are {", ".join(names)}'
    )
  return requested
