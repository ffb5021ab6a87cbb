r"""Networks that have seen no real face: attention, halves, and the recipe.

python -m experiments.zero --out=runs/zero-study [--release=DIR] [--small]

Eight networks learn from the same rendered heads by the same recipe
(configs/mefnet_zero.py), several seeds each, and the dense one once more with a
part of the recipe taken away: the camera, the prototypes, the nuisances, the
input. Each is scored on rendered people who were held out, and with --release
on real motion maps, none of which is trained on; how often their labels were
looked at is counted. Finished variants are not run again. docs/zero.md has the
result.
"""

import argparse
import contextlib
import functools
import importlib
import json
import pathlib
import sys
import time

import jax
import numpy as np
from flax import linen as nn

from configs import mefnet_zero
from experiments import cells, seals, zero_tables, zero_variants
from mefnet_jax import datasets
from mefnet_jax.models import from_config, inference, motion_input
from mefnet_jax.runs import (
  cli,
  errors,
  files,
  json_file,
  outputs,
  predictions,
  stopping,
  workdirs,
  xla,
)
from mefnet_jax.training import (
  synthetic_maps,
  synthetic_model,
  synthetic_training,
)

_RESULT = 'result.json'


def main(argv: list[str] | None = None) -> int:
  """Runs the study that the command line asks for; its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = arguments(argv)
  folders = {
    name: args.out.absolute() / 'variants' / name for name in args.variants
  }

  def is_done(name):
    return not seals.why_not(folders[name], _sealed(name))

  def after(_):
    done = [name for name in args.variants if is_done(name)]
    zero_tables.write(args.out, done, zero_variants.VARIANTS)

  with stopping.signals():
    xla.prepare()
    # By name: a worker knows this file as a module, not as __main__.
    one = importlib.import_module('experiments.zero').run
    cells.run(
      {
        name: functools.partial(one, name, folder, args)
        for name, folder in folders.items()
      },
      is_done,
      cluster=args.cluster,
      after=after,
    )
    zero_tables.write(args.out, args.variants, zero_variants.VARIANTS)
    print(f'written: {args.out / "zero.json"}')


def run(name: str, folder: pathlib.Path, args: argparse.Namespace) -> None:
  """Trains and scores a variant, unless that is done.

  Raises:
    errors.UserError: it was done with other flags, or is being done.
  """
  with workdirs.locked(folder):
    if not _is_done(name, folder, args):
      xla.prepare()
      _train(name, folder, args)


def _train(name, folder, args):
  """Trains and scores a variant, and leaves its files in the folder."""
  tested = _held_out(args.people, args.tests)
  maps = _release(args.release)
  variant, started = zero_variants.VARIANTS[name], time.monotonic()
  network, members = trained(variant, args)
  seconds = time.monotonic() - started
  result = {'asked': _asked(args), 'seconds': seconds}
  result['parameters'] = sum(x.size for x in jax.tree.leaves(members[0]))
  for side, (seen, label, who, names) in (
    ('synthetic', tested),
    *([('real', maps)] if maps else []),
  ):
    found = np.stack([_answers(network, one, seen) for one in members])
    predictions.write(
      folder / f'{side}.csv',
      clip=names,
      subject=who,
      fold=['zero_shot'] * len(who),
      label=[synthetic_maps.CLASSES[c] for c in label],
      predicted=[synthetic_maps.CLASSES[c] for c in found.mean(0).argmax(1)],
      probabilities_NC=found.mean(0),
      classes=synthetic_maps.CLASSES,
    )
    result[side] = zero_tables.scored(label, found, who)
  files.write(folder / _RESULT, json.dumps(result, indent=1).encode())
  names = (_RESULT, 'synthetic.csv', 'real.csv')
  seals.write(folder, _sealed(name), names)


def trained(
  variant: zero_variants.Variant, args: argparse.Namespace
) -> tuple[nn.Module, list[dict]]:
  """The network of a variant, and the weights of each seed."""
  config = _config(variant.network, args.people)
  network = from_config.network(config, len(synthetic_maps.CLASSES))
  if variant.sees != 'standardised':
    network = zero_variants.Seeing(network, variant.sees)

  def each(step, losses):
    parts = ', '.join(f'{key} {x:.3f}' for key, x in losses.items())
    print(f'  step {step}: {parts}', flush=True)

  if variant.whole_head:
    people = zero_variants.whole_heads(args.people // 2)
  else:
    people = synthetic_model.people(config.synthetic)[0]
  with contextlib.nullcontext() if variant.coded else zero_variants.emfacs():
    members = synthetic_training.train(
      network,
      people,
      tuple(range(args.seeds)),
      recipe=synthetic_training.Recipe(steps=args.steps),
      settings=variant.settings,
      each=each,
    )
  return network, members


@functools.cache
def _held_out(count, tests):
  """Maps of rendered people who are not learnt from, and their truth.

  Returns:
    Standardised maps (N, h, w, 2), labels (N,), names of the people and of the
    maps.
  """
  people = synthetic_model.people(_config('train', count).synthetic)[1]
  parts, who = [], []
  for name, own in people.items():
    for step in range(tests):
      batch = synthetic_maps.made(own, 0, step, synthetic_maps.Settings())
      batch = {key: np.asarray(x)[batch['named']] for key, x in batch.items()}
      parts.append(batch)
      who += [f'{name}-{k:03d}' for k in batch['who']]
  maps, label = (
    np.concatenate([part[key] for part in parts]) for key in ('maps', 'label')
  )
  return maps, label, who, [f'{i:05d}' for i in range(len(who))]


@functools.cache
def _release(folder):
  """Maps of the release, standardised, and their truth; None without one."""
  if not folder:
    return None
  dataset = mefnet_zero.get_config().dataset
  dataset.release = folder
  clips = datasets.load(dataset)
  place = [synthetic_maps.CLASSES.index(name) for name in clips.classes]
  maps = np.asarray(clips.streams['face'])[:, 0]
  seen = np.asarray(motion_input.standardise(maps))
  return seen, np.array(place)[clips.label], clips.subject, clips.clip


def _answers(network, params, maps):
  """Probabilities (N, C)."""
  batch = {network.streams[0]: maps[:, None]}
  logits, _ = jax.jit(network.apply)({'params': params}, batch)
  return inference.softmax(np.asarray(logits, np.float64))


def _config(variant, people):
  config = mefnet_zero.get_config(variant)
  config.synthetic.people = people
  return config


def _asked(args):
  """The inputs with which a finished variant must have been run."""
  return {
    'release': str(args.release),
    'seeds': args.seeds,
    'steps': args.steps,
    'people': args.people,
    'tests': args.tests,
  }


def _sealed(name):
  """The settings that determine the results of a variant."""
  return {'variant': name, 'recipe': repr(zero_variants.VARIANTS[name])}


def _is_done(name, folder, args):
  """Whether the variant is finished.

  Raises:
    errors.UserError: it was run with other flags.
  """
  path = folder / _RESULT
  if not path.exists():
    return False
  if why := seals.why_not(folder, _sealed(name)):
    seals.announce(path, why)
    return False
  found = json_file.read(path, {'asked': dict})['asked']
  if found != _asked(args):
    raise errors.UserError(
      f'{folder}: made with {found}: give the same flags, or another --out'
    )
  return True


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
  """Parses the flags; --small only changes defaults."""
  parser = cli.Parser(
    prog='python -m experiments.zero', description=cli.first_line(__doc__)
  )
  add = parser.add_argument
  add('--out', type=outputs.folder, required=True, help='where the results go')
  add('--release', default='', help='real motion maps to score; or none')
  add('--small', action='store_true', help='few people and steps, to try it')
  add('--cluster', default='', help=cells.HELP)
  add('--seeds', type=cli.count, default=5, help='of each variant')
  add('--steps', type=cli.count, default=2000, help='of each training')
  add('--people', type=cli.count, default=320, help='to learn from')
  add('--tests', type=cli.count, default=8, help='batches of others')
  add(
    '--variants',
    type=cli.names(tuple(zero_variants.VARIANTS)),
    default=tuple(zero_variants.VARIANTS),
    help='networks, and the recipe with a part taken away',
  )
  if parser.parse_args(argv).small:
    parser.set_defaults(seeds=2, steps=20, people=32, tests=1)
  return parser.parse_args(argv)


if __name__ == '__main__':
  sys.exit(main())
