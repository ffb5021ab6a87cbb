"""The curves of a training as it runs: metrics.jsonl and TensorBoard."""

import io
import math
import pathlib
import shutil
import warnings

import tensorboardX

from mefnet_jax.runs import metrics_log, multihost


class History:
  """The curves of a block: rows of metrics.jsonl, scalars of TensorBoard.

  The rows of a block's members after epoch `done` are dropped when a run is
  resumed, for they will be written again, with the same numbers. Of several
  processes the first writes.
  """

  def __init__(self, workdir: pathlib.Path, block, names: list[str], done: int):
    self._rows, self._boards = None, {}
    if not multihost.is_first():
      return
    self._rows = metrics_log.Writer(
      workdir,
      lambda row: (
        row['seed'] not in block.seeds
        or row['fold'] not in names
        or row['epoch'] <= done
      ),
    )
    _, dot, part = block.name.partition('.')
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # tensorboardX's own deprecations
      for seed in block.seeds:
        folder = workdir / 'tensorboard' / f'seed{seed}{dot}{part}'
        self._boards[seed] = tensorboardX.SummaryWriter(
          str(folder), purge_step=done + 1
        )

  def add(self, epoch: int, seed: int, fold: str, split: str, **values: float):
    """Writes one row, and its values as scalars of TensorBoard.

    What is not finite is null, as JSON has it.
    """
    if not self._rows:
      return
    member = {'epoch': epoch, 'seed': seed, 'fold': fold, 'split': split}
    self._rows.add(member | {name: float(x) for name, x in values.items()})
    for name, value in values.items():
      if math.isfinite(value):
        self._boards[seed].add_scalar(f'{split}/{name}/{fold}', value, epoch)

  def flush(self):
    """Brings all rows to the disk, before a checkpoint says they exist."""
    if self._rows:
      self._rows.flush()
      for board in self._boards.values():
        board.flush()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    if self._rows:
      self._rows.close()
    for board in self._boards.values():
      board.close()


def picture(workdir: pathlib.Path, name: str, png: bytes):
  """Puts a picture on TensorBoard, such as the confusion matrix.

  It takes the place of what an earlier report of this run has put there.
  """
  import matplotlib.image  # slow to import, and main --help needs none

  image = matplotlib.image.imread(io.BytesIO(png))
  folder = workdir / 'tensorboard' / 'report'
  shutil.rmtree(folder, ignore_errors=True)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    board = tensorboardX.SummaryWriter(str(folder))
  board.add_image(name, image[..., :3], dataformats='HWC')
  board.close()
