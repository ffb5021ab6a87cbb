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
    workdir: of the run.
    block: whose members are trained.
    names: of the block's folds.
    done: number of completed epochs.
  """

  def __init__(
    self, workdir: pathlib.Path, block: Block, names: list[str], done: int
  ):
    self._rows, self._boards = None, {}
    if not multihost.is_first():
      return
    own = _of(block.seeds, names)
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

    Values that are not finite become null in the row and no scalar.
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


def stored(workdir: pathlib.Path) -> list[dict]:
  """The rows that `check` and `check_members` look at.

  Another block's training leaves those of a block as they are, so one reading
  serves all. Only the first process has the file.
  """
  return metrics_log.stored(workdir) if multihost.is_first() else []


def check(
  workdir: pathlib.Path,
  rows: Sequence[dict],
  block: Block,
  names: Collection[str],
  note: Mapping[str, Any],
  done: int,
) -> None:
  """Checks that the rows of a block are those that it wrote.

  Args:
    workdir: of the run.
    rows: of `stored`.
    block: whose members are trained.
    names: of the block's folds.
    note: of its newest checkpoint: `History.flush` is its 'curves', which
      those of earlier versions lack.
    done: epochs of that checkpoint.

  Raises:
    errors.UserError: they are of another run, or some were added or taken away.
      Without any row of the block there is nothing to be wrong.
  """
  if 'curves' not in note:
    return
  # A training that has ended wrote none of later epochs.
  own, ended = _of(block.seeds, names), 'probabilities' in note
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
  """Raises errors.UserError for rows of a seed or fold that the run lacks."""
  if not all(map(_of(seeds, names), rows)):
    metrics_log.refuse(workdir, 'it has rows of other seeds or folds')


def _of(seeds, names):
  """A function that says whether a row is of some of these members."""
  return lambda row: row['seed'] in seeds and row['fold'] in names


def add_image(workdir: pathlib.Path, name: str, png: bytes) -> None:
  """Shows an image in TensorBoard, such as the confusion matrix.

  It replaces the image of an earlier report of the same run.
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
