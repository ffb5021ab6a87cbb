"""Draws the people of a synthetic release, for the documentation.

python -m mefnet_jax.synthetic.contact_sheet --out=docs/figures
"""

import dataclasses
import pathlib
import sys

import numpy as np

from mefnet_jax.runs import cli, figure_file, files, outputs
from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import cas_me2, emotions, render, smic, studio

GAP, CAPTION, TITLE = 6, 20, 44  # pixels
ACROSS = 4  # people in a row
EXAGGERATED = 4  # times the difference of apex and onset
CLOSE = cameras.Camera(size=(300, 240), scale=112.0, eyes=(119.5, 134.0))


def sheet(seed: int = 0) -> tuple[np.ndarray, list]:
  """Draws SMIC's people: onset, apex and their amplified difference.

  Returns:
    The image (rows, columns, 3) uint8, and captions (x, y, text).
  """
  shots = smic.plan(seed).shots
  cells, captions = [], []
  for number, subject in enumerate(smic.COUNTS):
    own = [s for s in shots if s.subject == subject]
    wish = smic.CLASSES[number % 3]
    own = [s for s in own if s.emotion == wish] or own
    shot = max(own, key=lambda s: _shown(studio.perform(s, seed)))
    played = studio.perform(shot, seed)
    onset, apex = _frames(shot, played, seed)
    change = apex.astype(int) - onset
    change = np.clip(128 + EXAGGERATED * change, 0, 255).astype(np.uint8)
    cells.append(np.concatenate([onset, apex, change], axis=1))
    units = '+'.join(str(u) for u in played.expressed)
    captions.append(f's{subject}: {shot.emotion}, action units {units}')
  return _lay_out(cells, captions, ACROSS)


def portraits(seed: int = 0) -> tuple[np.ndarray, list]:
  """Draws six people of CAS(ME)^2 in colour, at rest and in expressions.

  Returns:
    As `sheet`.
  """
  shots = [s for s in cas_me2.plan(seed, macro=True).shots if s.macro]
  shots.sort(key=lambda s: -_shown(studio.perform(s, seed)))
  chosen = {}
  for emotion in 2 * smic.CLASSES:
    own = [s for s in shots if s.emotion == emotion]
    shot = next(s for s in own if s.subject not in chosen)
    chosen[shot.subject] = shot
  cells, captions = [], []
  for subject, shot in chosen.items():
    played = studio.perform(shot, seed)
    close = dataclasses.replace(shot, camera=CLOSE)
    cells.append(np.concatenate(_frames(close, played, seed, noise=0), axis=1))
    captions.append(f's{subject}: at rest, and {shot.emotion} (macro)')
  return _lay_out(cells, captions, 3)


def save(
  path: pathlib.Path,
  image: np.ndarray,
  captions: list[tuple[int, int, str]],
  title: str,
) -> None:
  """Writes an image with its captions and title as PNG, pixel for pixel.

  Args:
    path: the file.
    image: (rows, columns, 3) uint8.
    captions: (x, y, text), x and y in pixels of the image.
    title: the line above it.

  Raises:
    OSError: the file cannot be written.
  """
  import matplotlib.backends.backend_agg
  import matplotlib.figure

  height, width = image.shape[:2]
  size = (width / 100, (height + TITLE) / 100)
  # figimage places pixels as they are; imshow would interpolate them.
  figure = matplotlib.figure.Figure(size, dpi=100, facecolor='white')
  matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
  figure.figimage(image, 0, 0)
  place = {'transform': None, 'color': '#222222'}
  for x, y, text in captions:
    figure.text(x, height - y, text, fontsize=8.5, va='bottom', **place)
  figure.text(GAP, height + 14, title, fontsize=13, **place)
  files.write(path, figure_file.encoded(figure, dpi=100))


def _shown(played):
  """How clearly a performance shows its emotion at the apex."""
  closed = played.intensity[:, emotions.BLINK]
  if closed[0] or closed[played.apex]:
    return 0  # a blink would be the largest difference in the picture
  level = [
    played.intensity[played.apex, emotions.AUS.index(u)] * emotions.reach()[u]
    for u in played.expressed
  ]
  return sum(level)


def _frames(shot, played, seed, **changes):
  """The frames at onset and apex; `changes` are fields of the person."""
  scene = studio.set_scene(shot, seed)
  person = dataclasses.replace(scene.person, **changes)
  scene = dataclasses.replace(scene, person=person)
  surfaces = render.surfaces(scene, emotions.face_units(played), played.pose)
  surfaces = [surfaces[0], surfaces[played.apex]]
  gain = played.gain[[0, played.apex]]
  rng = studio.generator(seed, shot, 'sensor')
  return list(render.clip(scene, surfaces, gain, rng))


def _lay_out(cells, captions, across):
  """Cells of one size in rows, with room for a caption above each."""
  height, width = cells[0].shape[:2]
  rows = -(-len(cells) // across)
  size = (rows * (height + CAPTION + GAP), across * (width + GAP) + GAP, 3)
  image = np.full(size, 255, np.uint8)
  placed = []
  for number, cell in enumerate(cells):
    row, column = divmod(number, across)
    y = row * (height + CAPTION + GAP) + CAPTION
    x = GAP + column * (width + GAP)
    image[y : y + height, x : x + width] = cell
    placed.append((x, y - 4, captions[number]))
  return image, placed


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument('--out', type=outputs.folder, required=True)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  title = (
    'SYNTHETIC people in the layout of SMIC: onset, apex, their difference '
    f'x {EXAGGERATED}'
  )
  save(args.out / 'synthetic_contact_sheet.png', *sheet(args.seed), title)
  title = 'SYNTHETIC people in the layout of CAS(ME)^2'
  save(args.out / 'synthetic_portraits.png', *portraits(args.seed), title)


if __name__ == '__main__':
  sys.exit(main())
