"""The order of clips in an epoch, a function of seed and epoch alone.

By default all folds share one order of all clips, and each fold gives weight 0
to the clips that it holds out. Balanced sampling and mixup need a separate
order per fold, of its training clips only; the number and size of its batches
are the same as in the shared order, so that a fold gives the same result
whether it is trained alone or with others.
"""

import numpy as np

SAMPLINGS = ('uniform', 'balanced')


def shared_order(
  num_clips: int, batch_size: int, multiple: int, *, seed: int, epoch: int
) -> dict[str, np.ndarray]:
  """Returns an order of all clips, in the fewest batches of similar size.

  Batches of similar size waste little work on padding.

  Args:
    num_clips: number of clips N.
    batch_size: maximum number of clips in a batch.
    multiple: batches are padded to a multiple of this.
    seed, epoch: they determine the shuffle.

  Returns:
    'index' (steps, B) int32 and 'valid' (steps, B) float32, 0 for padding.
  """
  steps, size, width = _shape(num_clips, batch_size, multiple)
  order = np.random.default_rng([seed, epoch]).permutation(num_clips)
  index = np.zeros((steps, width), np.int32)
  valid = np.zeros((steps, width), np.float32)
  for i in range(steps):
    part = order[i * size : (i + 1) * size]
    index[i, : len(part)], valid[i, : len(part)] = part, 1.0
  return {'index': index, 'valid': valid}


def fold_order(
  label_N: np.ndarray,
  train: np.ndarray,
  batch_size: int,
  multiple: int,
  *,
  sampling: str,
  seed: int,
  epoch: int,
) -> dict[str, np.ndarray]:
  """Returns an order of a fold's training clips.

  'uniform' sampling uses each clip once; 'balanced' draws as many clips, with
  equal class frequencies.

  Args:
    label_N: labels of all clips; only those of `train` are read.
    train: indices of the fold's training clips.
    batch_size, multiple: as in `shared_order`.
    sampling: uniform | balanced.
    seed, epoch: they determine the shuffle.

  Returns:
    As `shared_order`, and for mixup 'mate' (steps, B), the next clip of its
    batch.
  """
  random = np.random.default_rng([seed, epoch])
  if sampling == 'balanced':
    drawn = _balanced(label_N[train], len(train), random)
  else:
    drawn = random.permutation(len(train))
  # The shape is that of all clips, although only training clips are used, so
  # that all folds have the same shapes.
  steps, _, width = _shape(len(label_N), batch_size, multiple)
  # Padding has weight 0; even so it is a training clip, never a held-out one.
  index = np.full((steps, width), train[0], np.int32)
  valid = np.zeros((steps, width), np.float32)
  mate = index.copy()
  for i, part in enumerate(np.array_split(train[drawn], steps)):
    index[i, : len(part)], valid[i, : len(part)] = part, 1.0
    # The next one, so that each clip is the mate of one other in the batch.
    mate[i, : len(part)] = np.roll(part, -1)
  return {'index': index, 'valid': valid, 'mate': mate}


def _shape(num_clips, batch_size, multiple):
  """Number of steps in an epoch, clips per step, and padded batch size.

  `multiple` only affects the padding, so the clips of a step do not depend on
  the number of devices.
  """
  steps = -(-num_clips // min(batch_size, num_clips))
  size = -(-num_clips // steps)
  return steps, size, multiple * -(-size // multiple)


def _balanced(label_M, count, random):
  """Draws `count` positions in label_M, shuffled, with equal class frequencies.

  All clips of a class are used before one of them is repeated.
  """
  classes = np.unique(label_M)
  shares = [
    len(part) for part in np.array_split(np.arange(count), len(classes))
  ]
  random.shuffle(shares)  # which classes get one clip more is random
  drawn = []
  for c, share in zip(classes, shares, strict=True):
    places = np.flatnonzero(label_M == c)
    rounds = -(-share // len(places))
    order = [random.permutation(places) for _ in range(rounds)]
    # The empty slice is for a share of 0: nothing cannot be concatenated.
    drawn.append(np.concatenate([*order, places[:0]])[:share])
  return random.permutation(np.concatenate(drawn))
