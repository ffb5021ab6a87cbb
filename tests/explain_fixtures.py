"""A finished run on the tiny release, for the tests of what explains it."""

import os
import pathlib
import threading

import pytest
import rich.console

from configs import base
from mefnet_jax import protocol
from mefnet_jax.runs import workdirs
from tests import shared


def tiny_config(release: pathlib.Path):
  """MFCNN of 9 frames and few pixels; two epochs are training enough."""
  config = base.get_config()
  config.dataset.update(
    release=str(release), frames=9, face=16, eyes=12, mouth=12
  )
  config.model.update(filters=4, kernel=(5, 3, 3), hidden=(8,))
  config.train.update(epochs=2, batch_size=8, evaluate_every=0)
  config.protocol.folds = 3
  return config


def run(config, workdir: pathlib.Path) -> pathlib.Path:
  """Runs it, as the command does."""
  workdirs.claim(config, workdir)
  with open(os.devnull, 'w') as nothing:
    console = rich.console.Console(file=nothing)
    protocol.run(config, workdir, console=console, stop=threading.Event())
  return workdir


@pytest.fixture(scope='session')
def tiny_run(tiny_smic, tmp_path_factory) -> pathlib.Path:
  """The folder of a finished run: 9 synthetic clips, 3 folds of people."""

  def make(folder):
    folder.mkdir()
    run(tiny_config(tiny_smic), folder)

  return shared.once(tmp_path_factory, 'tiny_run', make)
