"""Writes the training curves to metrics.jsonl and TensorBoard."""

import io
import math
import pathlib
import shutil
import typing
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorboardX

from mefnet_jax.runs import metrics_log, multihost


class Block(typing.Protocol):
  """The part of `training.blocks.Block` whose curves are written here."""

  @property
  def name(self) -> str:
    """Part of the names of its folders, such as 'seed0'."""

  @property
  def seeds(self) -> tuple[int, ...]:
    """The seeds of its members."""


class History:
  """The curves of a block: rows of metrics.jsonl, scalars of TensorBoard.

  A resumed run drops the rows of the block's members after epoch `done`,
  because it writes them again, with the same values. With several processes
  only the first one writes.

  Args:
    workdir: the run's folder.
    block: whose members are trained.
    names: the names of the block's folds.
    done: number of completed epochs.
  """

  def __init__(
    self, workdir: pathlib.Path, block: Block, names: list[str], done: int
  ):
    self._rows, self._boards = None, {}
    if not multihost.is_first():
      return
    own = _membership(block.seeds, names)
    self._rows = metrics_log.Writer(
      workdir, lambda row: not own(row) or row['epoch'] <= done, own
    )
    # A folder for each seed, so that TensorBoard draws them as runs.
    _, dot, part = block.name.partition('.')
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # deprecations within tensorboardX
      for seed in block.seeds:
        folder = workdir / 'tensorboard' / f'seed{seed}{dot}{part}'
        self._boards[seed] = tensorboardX.SummaryWriter(
          str(folder), purge_step=done + 1
        )

  def add(
    self, epoch: int, seed: int, fold: str, split: str, **values: float
  ) -> None:
    """Writes one row, and its values as TensorBoard scalars.

    A value that is not finite becomes null in the row, and no scalar.

    Args:
      epoch: number of the epoch, from 1.
      seed: one of the block's seeds.
      fold: name of the fold.
      split: 'train', 'validation' or 'held-out'.
      **values: scores by name.
    """
    if not self._rows:
      return
    member = {'epoch': epoch, 'seed': seed, 'fold': fold, 'split': split}
    self._rows.add(member | {name: float(x) for name, x in values.items()})
    for name, value in values.items():
      if math.isfinite(value):
        self._boards[seed].add_scalar(f'{split}/{name}/{fold}', value, epoch)

  def flush(self) -> str:
    """Flushes all rows to the disk, as is needed before a checkpoint.

    Returns:
      The digest of the block's rows, for `check`.
    """
    if not self._rows:
      return ''
    self._rows.flush()
    for board in self._boards.values():
      board.flush()
    return self._rows.seal()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    if self._rows:
      self._rows.close()
    for board in self._boards.values():
      board.close()


def read_rows(workdir: pathlib.Path) -> list[dict]:
  """Returns the rows that `check` and `check_members` examine.

  They are read once for all blocks, since training one block does not change
  the rows of another. Only the first process reads the file.

  Raises:
    errors.UserError: as `metrics_log.read`.
  """
  return metrics_log.read_raw(workdir) if multihost.is_first() else []


def check(
  workdir: pathlib.Path,
  rows: Sequence[dict],
  block: Block,
  names: Collection[str],
  note: Mapping[str, Any],
  done: int,
) -> None:
  """Checks that the rows of a block are the ones its training wrote.

  Args:
    workdir: the run's folder.
    rows: the return value of `read_rows`.
    block: whose members are trained.
    names: the names of the block's folds.
    note: the note of its newest checkpoint, whose 'curves' are the return value
      of `History.flush`; checkpoints of earlier versions have none.
    done: the epoch of that checkpoint.

  Raises:
    errors.UserError: rows are from another run, or were added or removed. A
      block without rows always passes.
  """
  if 'curves' not in note:
    return
  # A finished training wrote no rows of later epochs.
  own, ended = _membership(block.seeds, names), 'probabilities' in note
  found = metrics_log.seal(
    row for row in rows if own(row) and (ended or row['epoch'] <= done)
  )
  if found not in ('', note['curves']):
    metrics_log.refuse(
      workdir, f'its rows of {block.name} are not those of this training'
    )


def check_members(
  workdir: pathlib.Path,
  rows: Sequence[dict],
  seeds: Collection[int],
  names: Collection[str],
) -> None:
  """Checks that all rows belong to the seeds and folds of a run.

  Args:
    workdir: the run's folder.
    rows: the return value of `read_rows`.
    seeds: the run's seeds.
    names: the names of its folds.

  Raises:
    errors.UserError: a row belongs to another seed or fold.
  """
  if not all(map(_membership(seeds, names), rows)):
    metrics_log.refuse(workdir, 'it has rows of other seeds or folds')


def _membership(seeds, names):
  """A function that returns whether a row belongs to one of the members."""
  return lambda row: row['seed'] in seeds and row['fold'] in names


def add_image(workdir: pathlib.Path, name: str, png: bytes) -> None:
  """Shows an image in TensorBoard, such as the confusion matrix.

  It replaces the image of an earlier report of the same run.

  Args:
    workdir: the run's folder.
    name: the title of the image.
    png: the content of a PNG file.
  """
  import matplotlib.image  # slow to import, and not needed for --help

  image = matplotlib.image.imread(io.BytesIO(png))
  folder = workdir / 'tensorboard' / 'report'
  shutil.rmtree(folder, ignore_errors=True)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    board = tensorboardX.SummaryWriter(str(folder))
  board.add_image(name, image[..., :3], dataformats='HWC')  # without alpha
  board.close()
