r"""Writes a synthetic release in the layout of a real one.

python -m mefnet_jax.synthetic.release --layout=smic --out=DIR --seed=0
python -m mefnet_jax.synthetic.release --layout=cas_me2 --out=DIR --macro \
    --rawpic=2 --defects=offset0,misfiled
"""

import functools
import inspect
import os
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

from mefnet_jax.runs import cli, errors, files, outputs, regular_file
from mefnet_jax.synthetic import (
  cas_me2,
  megc_flow,
  smic,
  speech,
  studio,
  video,
  workers,
)

LAYOUTS = {'smic': smic, 'cas_me2': cas_me2, 'megc_flow': megc_flow}
MARKER = 'SYNTHETIC.txt'
BATCH = 10  # clips a process takes at a time
_TOO_LARGE = 2**31


def write(
  layout: str,
  out: str | os.PathLike[str],
  *,
  seed: int = 0,
  clips: int | None = None,
  subjects: int | None = None,
  processes: int | None = None,
  progress: Callable[[int, int], object] | None = None,
  multimodal: bool = False,
  **options: Any,
) -> pathlib.Path:
  """Writes a release and returns its folder.

  Args:
    layout: smic, cas_me2 or megc_flow.
    out: folder to create; it must be missing or empty. The ground truth is
      written to a folder beside it, named `<out>_truth`.
    seed: the same seed gives the same bytes, except for the time that the
      workbook of cas_me2 holds.
    clips: maximum number of clips per subject (None: all).
    subjects: maximum number of subjects (None: all).
    processes: number of worker processes (None: one per core); it does not
      affect the result.
    progress: called with (clips done, clips in all), first with 0 done.
    multimodal: whether to write a sound and a transcript beside each clip.
    **options: options of the layout, see `plan` in its module.

  Raises:
    errors.UserError: `out` is not empty, or an option is invalid.
  """
  out = pathlib.Path(out).absolute()
  truth = out.with_name(f'{out.name}_truth')
  for folder in (out, truth):
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
      raise errors.UserError(
        f'{folder} is not an empty folder: name another with --out'
      )
  counts = {'clips': clips, 'subjects': subjects, 'processes': processes}
  for name, count in counts.items():
    if count is not None and count < 1:
      raise errors.UserError(f'--{name}={count}: it must be at least 1')
  plan = _plan(layout, seed, clips, subjects, options)
  out.parent.mkdir(parents=True, exist_ok=True)
  # The release is renamed first, its truth last: a release without a truth is
  # complete, a truth without a release would be in the way.
  with files.aside(truth) as new_truth, files.aside(out) as new:
    for folder in (new, new_truth):
      folder.mkdir()
    _film(plan, new, new_truth, seed, processes, progress)
    if multimodal:
      speech.write(plan.shots, new, seed)
    plan.finish(new, new_truth)
    for folder in (new, new_truth):
      text = _marker(layout, seed) + _digests(folder)
      (folder / MARKER).write_text(text, encoding='utf-8')
  return out


def _plan(layout, seed, clips, subjects, options):
  """The plan of a layout, after its options have been checked."""
  if layout not in LAYOUTS:
    raise errors.UserError(f'--layout={layout}: known are {", ".join(LAYOUTS)}')
  known = inspect.signature(LAYOUTS[layout].plan).parameters
  for name in options:
    if name not in known:
      raise errors.UserError(f'--{name}: not an option of the layout {layout}')
  numbers = {'seed': seed, 'rawpic': options.get('rawpic') or 0}
  for name, number in numbers.items():
    if not 0 <= number < _TOO_LARGE:
      raise errors.UserError(
        f'--{name}={number}: it must be 0 or more, below {_TOO_LARGE}'
      )
  return LAYOUTS[layout].plan(seed, clips=clips, subjects=subjects, **options)


def _film(plan, root, truth, seed, processes, progress):
  """Films shots, then videos; reports the shots done."""
  film = functools.partial(
    _film_shots,
    film=plan.film or studio.film,
    root=root,
    truth=truth,
    seed=seed,
  )
  done = 0
  if progress:
    progress(0, len(plan.shots))
  for count in workers.each(film, _batches(plan.shots), processes):
    done += count
    if progress:
      progress(done, len(plan.shots))
  film = functools.partial(video.film, root=root, seed=seed)
  for _ in workers.each(film, plan.videos, processes):
    pass


def _batches(shots):
  """Shots in lists of one person each, the longest first."""
  batches = []
  for subject in dict.fromkeys(s.subject for s in shots):
    # One person in a batch, whose scene is then prepared once.
    own = [s for s in shots if s.subject == subject]
    batches += [own[k : k + BATCH] for k in range(0, len(own), BATCH)]
  # The longest first, or the processes would wait for it at the end.
  return sorted(batches, key=lambda b: -sum(len(s.numbers) for s in b))


def _film_shots(shots, film, root, truth, seed):
  """Films some shots, in a worker process; returns their number."""
  for shot in shots:
    film(shot, root, truth, seed)
  return len(shots)


def _marker(layout, seed):
  """The text of SYNTHETIC.txt above the digests."""
  return (
    f'SYNTHETIC release in the layout of {layout}, seed {seed}, written by '
    'mefnet_jax.synthetic.release.\nNo real person is in it, and no score '
    'reached on it says anything about real faces. Other files than those of '
    'the\nBLAKE2b digests below are not of it, and may show people.\n\n'
  )


def seed_of(root: str | os.PathLike[str]) -> int:
  """Returns the seed with which a release was written.

  Raises:
    errors.UserError: the folder holds no release that `write` has written.
  """
  path = pathlib.Path(root, MARKER)
  known = path.exists() and re.search(
    r', seed (\d+),', regular_file.read(path).decode()
  )
  if not known:
    raise errors.UserError(f'{root}: no SYNTHETIC release: {MARKER} names none')
  return int(known[1])


def _digests(folder):
  """A line with the digest of each file's content: 32 hexadecimal digits."""
  found = {files.digest(p) for p in folder.rglob('*') if p.is_file()}
  return ''.join(f'{digest}\n' for digest in sorted(found))


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = vars(_arguments().parse_args(argv))
  args = {name: value for name, value in args.items() if value is not None}
  if args.get('defects'):
    args['defects'] = tuple(args['defects'].split(','))
  from mefnet_jax.runs import progress_lines  # rich takes a while to import

  with progress_lines.Progress() as bar:

    def update(done, total):
      if not bar.tasks:  # not before the options have been checked
        bar.add_task('Rendering SYNTHETIC clips', total=total)
      bar.update(bar.task_ids[0], completed=done)

    out = write(**args, progress=update)
  print(f'SYNTHETIC release in {out}, its truth in {out}_truth.')


def _arguments():
  parser = cli.Parser(
    prog='python -m mefnet_jax.synthetic.release',
    description=cli.first_line(__doc__),
  )
  add = parser.add_argument
  add('--layout', choices=tuple(LAYOUTS), required=True)
  add('--out', type=outputs.folder, required=True, help='a new or empty folder')
  add('--seed', type=int, default=0)
  add('--clips', type=int, help='at most so many clips a subject')
  add('--subjects', type=int, help='at most so many subjects')
  add('--processes', type=int, help='by default one a core')
  add(
    '--multimodal',
    action='store_const',
    const=True,
    help='add a sound (WAV) and a transcript to each clip',
  )
  add('--subset', help='SMIC: hs (default), vis, nir or all')
  add(
    '--form',
    help='SMIC: cropped (default) or raw; megc_flow: whole (default) or loso',
  )
  add(
    '--macro',
    action='store_const',
    const=True,
    help='CAS(ME)^2: add the 300 macro-expressions',
  )
  add('--rawpic', type=int, help='CAS(ME)^2: write so many long videos')
  add('--defects', help='CAS(ME)^2: all, or names with commas between')
  return parser


if __name__ == '__main__':
  sys.exit(main())
