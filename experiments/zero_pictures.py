r"""What the networks learn from: mean SYNTHETIC maps of the classes.

python -m experiments.zero_pictures --out=docs/figures/zero_class_means.png
"""

import argparse
import pathlib
import sys

import numpy as np
from matplotlib import figure

from mefnet_jax.runs import cli, figure_file, files, outputs, xla
from mefnet_jax.synthetic import motion_basis
from mefnet_jax.training import synthetic_maps

_BATCHES = 8


def main(argv: list[str] | None = None) -> int:
  """Draws the picture that the command line asks for; its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  parser = cli.Parser(prog='python -m experiments.zero_pictures')
  parser.add_argument('--out', type=outputs.file, required=True)
  parser.add_argument('--people', type=cli.count, default=64)
  args: argparse.Namespace = parser.parse_args(argv)
  xla.prepare()
  basis = motion_basis.load('megc2019', seed=0, first=320, count=args.people)
  draw(means(synthetic_maps.source(basis)), args.out)


def means(people: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The mean standardised map (h, w, 2) of each class."""
  batches = [
    synthetic_maps.made(people, 0, step, synthetic_maps.Settings())
    for step in range(_BATCHES)
  ]
  maps, label, named = (
    np.concatenate([np.asarray(batch[key]) for batch in batches])
    for key in ('maps', 'label', 'named')
  )
  return {
    name: maps[named & (label == c)].mean(0)
    for c, name in enumerate(synthetic_maps.CLASSES)
  }


def draw(found: dict[str, np.ndarray], path: pathlib.Path) -> None:
  """Writes u and v of each class as a PNG."""
  made = figure.Figure(figsize=(6.4, 4.6), layout='constrained', dpi=110)
  axes = made.subplots(2, len(found))
  most = max(np.abs(x).max() for x in found.values())
  for column, (name, maps) in enumerate(found.items()):
    for row, title in enumerate(('u, to the right', 'v, down')):
      place = axes[row, column]
      image = place.imshow(maps[..., row], cmap='RdBu_r', vmin=-most, vmax=most)
      place.set(xticks=[], yticks=[])
      place.set_title(f'{name}: {title}', fontsize=9)
  made.colorbar(image, ax=axes, shrink=0.6, label="of each map's own RMS")
  made.suptitle('SYNTHETIC: mean motion maps of rendered heads', fontsize=10)
  files.write(path, figure_file.encoded(made))


if __name__ == '__main__':
  sys.exit(main())
