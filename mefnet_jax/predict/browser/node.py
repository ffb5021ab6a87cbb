"""Tries a page's model in ONNX Runtime Web, by Node."""

import json
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import agreement
from mefnet_jax.runs import errors

_PATIENCE = 300.0  # seconds
_ASK = """
import fs from 'fs';
import * as model from './model.js';
const maps = JSON.parse(fs.readFileSync(0)).map((one) => Uint8Array.from(one));
const session = await model.opened(
  new Uint8Array(fs.readFileSync('model.onnx')),
  fs.readFileSync('ort-wasm-simd-threaded.wasm'));
console.log(JSON.stringify(await model.ask(session, maps)));
"""


def check(
  page: pathlib.Path, model: trained_model.Model, out: pathlib.Path
) -> float | None:
  """Compares a page's model, as the browser will run it, with the model itself.

  Args:
    page: the folder of the page.
    model: the model that was exported to it.
    out: the final folder of the page, for messages.

  Returns:
    The largest difference of a probability; None if Node is not installed.

  Raises:
    errors.UserError: it is above `agreement.TOLERANCE`, or Node cannot run it.
  """
  if not shutil.which('node'):
    return None
  with tempfile.TemporaryDirectory(prefix='mefnet-page-') as place:
    folder = prepared(page, pathlib.Path(place) / 'page')

    def of(clips):
      return answers(folder, clips['face'], out)

    return agreement.check(of, model, fold=None, seed=None, path=out)


def prepared(page: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
  """Copies a page to a folder in which Node can run its scripts.

  Node takes them for modules only beside a package.json.
  """
  shutil.copytree(page, folder)
  (folder / 'package.json').write_text('{"type": "module"}')
  (folder / 'ask.mjs').write_text(_ASK)
  return folder


def answers(
  folder: pathlib.Path, maps: np.ndarray, out: pathlib.Path
) -> np.ndarray:
  """Returns Node's probabilities (N, C) of maps (N, 1, H, W, 3) uint8.

  Args:
    folder: result of `prepared`.
    maps: motion maps as they are stored.
    out: the final folder of the page, for messages.

  Raises:
    errors.UserError: Node cannot run it.
  """
  given = json.dumps([one.ravel().tolist() for one in maps])
  try:
    done = subprocess.run(
      ['node', 'ask.mjs'],
      cwd=folder,
      input=given,
      capture_output=True,
      text=True,
      timeout=_PATIENCE,
    )
    if done.returncode == 0:
      return np.array(json.loads(done.stdout), np.float64)
    why = next(
      (line for line in done.stderr.splitlines() if 'Error' in line),
      f'status {done.returncode}',
    )
  except (OSError, ValueError, subprocess.TimeoutExpired) as error:
    why = str(error)
  raise errors.UserError(
    f'{out}: not written: Node cannot run the page ({why.strip()[:120]}): '
    'install a newer Node'
  )
