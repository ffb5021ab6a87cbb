"""Trains on some databases and tests on others: the two sides of each fold."""

import numpy as np

from mefnet_jax.runs import errors


def sides(protocol, database) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Masks over the clips of those that train and those that are tested.

  Args:
    protocol: has train_on and test_on, names of databases with + between.
      Without test_on there is a fold a database that train_on does not name;
      without train_on all databases train that are not tested.
    database: (N,) databases of origin.

  Returns:
    One (train (N,), test (N,)) a fold, by the name of what is tested.

  Raises:
    UserError: fewer than two databases, an unknown one, or one on both sides.
  """
  names = sorted(set(database.tolist()) - {''})
  if len(names) < 2:
    raise errors.UserError(
      'protocol cross_database needs clips of two databases (megc_flow, or a '
      'folder whose table has a column database): set another '
      '--config.protocol.name'
    )
  tested = _wanted(protocol, 'test_on', names)
  trained = _wanted(protocol, 'train_on', names)
  made = {}
  each = [[name] for name in names if name not in trained]
  for test in [tested] if tested else each or [trained]:
    train = trained or [name for name in names if name not in test]
    if set(train) & set(test) or not train:
      raise errors.UserError(
        f'--config.protocol.train_on={"+".join(train)} and '
        f'test_on={"+".join(test)}: a database may not be on both sides, and '
        'each side needs one'
      )
    made['+'.join(test)] = np.isin(database, train), np.isin(database, test)
  return made


def _wanted(protocol, field, names):
  given = getattr(protocol, field)
  wanted = [name for name in given.split('+') if name]
  unknown = sorted(set(wanted) - set(names))
  if unknown:
    raise errors.UserError(
      f'--config.protocol.{field}={given}: the databases are {", ".join(names)}'
    )
  return wanted
