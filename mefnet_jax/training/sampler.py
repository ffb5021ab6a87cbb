"""The order of clips in an epoch: a function of seed and epoch alone.

Where folds share an order (the default) all walk through all clips, and each
gives weight 0 to those it holds out. Balanced sampling and mixup need an order
of the fold's own, of its training clips only; batches are of the same number
and size, so that a fold trained among others is that fold alone.
"""

import numpy as np

SAMPLINGS = ('uniform', 'balanced')


def shared(
  clips: int, batch_size: int, multiple: int, *, seed: int, epoch: int
) -> dict[str, np.ndarray]:
  """All clips once, in the fewest batches of at most batch_size.

  The batches are made alike in size, so that no step works on padding for
  long.

  Args:
    clips: number of clips N.
    batch_size: the most clips in a batch.
    multiple: the batch is filled up to a multiple of it.
    seed, epoch: of the shuffle.

  Returns:
    'index' (steps, B) int32 and 'valid' (steps, B) float32, 0 for the fill.
  """
  steps, size, width = _shape(clips, batch_size, multiple)
  order = np.random.default_rng([seed, epoch]).permutation(clips)
  index = np.zeros((steps, width), np.int32)
  valid = np.zeros((steps, width), np.float32)
  for i in range(steps):
    part = order[i * size : (i + 1) * size]
    index[i, : len(part)], valid[i, : len(part)] = part, 1.0
  return {'index': index, 'valid': valid}


def own(
  label_N: np.ndarray,
  train: np.ndarray,
  batch_size: int,
  multiple: int,
  *,
  sampling: str,
  seed: int,
  epoch: int,
) -> dict[str, np.ndarray]:
  """A fold's training clips once, or as many drawn equally from its classes.

  Args:
    label_N: labels of all clips; only those of `train` are read.
    train: indices of the fold's training clips.
    batch_size, multiple: as in `shared`.
    sampling: uniform | balanced.
    seed, epoch: of the shuffle.

  Returns:
    As `shared`, and 'mate' (steps, B): the next clip of the batch, for mixup.
  """
  random = np.random.default_rng([seed, epoch])
  if sampling == 'balanced':
    drawn = _balanced(label_N[train], len(train), random)
  else:
    drawn = random.permutation(len(train))
  steps, _, width = _shape(len(label_N), batch_size, multiple)
  index = np.full((steps, width), train[0], np.int32)
  valid = np.zeros((steps, width), np.float32)
  mate = index.copy()
  for i, part in enumerate(np.array_split(train[drawn], steps)):
    index[i, : len(part)], valid[i, : len(part)] = part, 1.0
    mate[i, : len(part)] = np.roll(part, -1)
  return {'index': index, 'valid': valid, 'mate': mate}


def _shape(clips, batch_size, multiple):
  """Steps of an epoch, clips of each, and these with what fills them up.

  Which clips a step has does not hang on the devices that `multiple` is for.
  """
  steps = -(-clips // min(batch_size, clips))
  size = -(-clips // steps)
  return steps, size, multiple * -(-size // multiple)


def _balanced(label_M, count, random):
  """`count` places of label_M, each class as often as the others, shuffled.

  A class goes through all its clips before one of them comes again.
  """
  classes = np.unique(label_M)
  shares = [
    len(part) for part in np.array_split(np.arange(count), len(classes))
  ]
  random.shuffle(shares)  # which classes get the one clip more
  drawn = []
  for c, share in zip(classes, shares, strict=True):
    places = np.flatnonzero(label_M == c)
    rounds = -(-share // len(places))
    order = [random.permutation(places) for _ in range(rounds)]
    drawn.append(np.concatenate([*order, places[:0]])[:share])
  return random.permutation(np.concatenate(drawn))
