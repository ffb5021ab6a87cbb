r"""The table of the shipped configs: what each costs, and what it scored.

python -m experiments.zoo [--runs=runs] [--out=docs/zoo.md]

Parameters and FLOPs are computed. Scores, training time and processor are those
of finished runs below --runs, the newest of each config as it ships. Where
there is none, the page says which command makes it.
"""

import importlib
import json
import pathlib
import sys

import jax
from absl import flags
from flax import traverse_util
from ml_collections import ConfigDict

from mefnet_jax.models import describe, from_config
from mefnet_jax.runs import (
  cli,
  config_files,
  errors,
  files,
  outputs,
  workdirs,
)
from mefnet_jax.training import config_check

_HEAD = (
  *('config', 'network', 'parameters', 'MFLOPs a clip', 'data', 'seeds'),
  *('UAR [95 %]', 'UF1', 'training', 'processor'),
)
_MISSING = 'not run'
_PAGE = """# The shipped configs: cost and score

Written by `{command}`.
Of a file with several variants this is the default one. Parameters and FLOPs
(one clip, forward, a multiply-add counted as two) are computed for three
classes. Scores, training time and processor are those of the newest finished
run below `{runs}` that differs from the shipped config in nothing but its
seeds, the folder of its release, and how the work was divided. A training
time is what the run took on its machine, busy or not.

{table}
{fill}"""
_FILL = """## Rows that say "{missing}"

No such run was there. To fill a row, train its config and write the page again:

{commands}
    {command}
"""
# Fields that say nothing about what is trained, or only how often.
_FREE = (
  *('seed', 'seeds', 'dataset.release', 'dataset.workers', 'dataset.cluster'),
  *('dataset.allow_lost', 'train.parallel', 'train.kernels', 'train.memory'),
  *('train.profile', 'train.checkpoint_every'),
)


def configs() -> dict[str, ConfigDict]:
  """Returns every shipped config by name; of a file its default variant."""
  return {
    name: importlib.import_module(f'configs.{name}').get_config()
    for name in sorted(config_files.installed())
  }


def cost(config: ConfigDict, classes: int = 3) -> tuple[int, float]:
  """Returns the parameters of a config's network, and MFLOPs of one clip."""
  model = from_config.network(config, num_classes=classes)
  inputs = config_check.shapes(config, model)
  shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)
  count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
  flops = [layer.flops for layer in describe.describe(model, inputs)]
  known = flops and None not in flops
  return count, sum(flops) / 1e6 if known else float('nan')


def finished(runs: pathlib.Path) -> list[dict]:
  """Returns report.json of all finished runs below a folder, newest last."""
  found = sorted(
    runs.glob('**/report.json'), key=lambda path: path.stat().st_mtime
  )
  reports = []
  for path in found:
    try:
      report = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError):
      continue
    if isinstance(report, dict) and 'config' in report and 'seconds' in report:
      try:
        reports.append(workdirs.read_report(path.parent))
      except errors.UserError as error:
        print(f'left out: {error}', file=sys.stderr)
  return reports


def row(name: str, config: ConfigDict, reports: list[dict]) -> tuple[str, ...]:
  """Returns the cells of one config: cost, and scores if a run is there."""
  count, mega = cost(config)
  flops = '?' if mega != mega else f'{mega:,.1f}'
  cells = (
    f'`configs/{name}.py`',
    from_config.name(config),
    f'{count:,}',
    flops,
  )
  own = [x for x in reports if _same(x['config'], config)]
  if not own:
    return (*cells, _MISSING, '', '', '', '', '')
  x = own[-1]
  low, high = x['intervals']['uar'] or (float('nan'),) * 2
  words = ' '.join(x['notices']) or 'real'
  return (
    *cells,
    f'{x["dataset"]}, {words}',
    str(len(x['seeds'])),
    f'{x["metrics"]["uar"]:.3f} [{low:.3f}, {high:.3f}]',
    f'{x["metrics"]["uf1"]:.3f}',
    'none' if 'ZERO-SHOT' in x['notices'] else f'{x["seconds"]["train"]:.0f} s',
    x['device'],
  )


def table(rows: list[tuple[str, ...]]) -> str:
  """Returns rows as a table in Markdown."""
  lines = [_HEAD, ('---',) * len(_HEAD), *rows]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines) + '\n'


def page(runs: pathlib.Path, command: str) -> str:
  """Returns the table in Markdown, and how its empty rows are filled."""
  reports = finished(runs)
  rows = {name: row(name, one, reports) for name, one in configs().items()}
  commands = ''.join(
    f'    python -m mefnet_jax.main --config=configs/{name}.py '
    f'--workdir={runs}/{name}\n'
    for name, cells in rows.items()
    if _MISSING in cells
  )
  fill = _FILL.format(missing=_MISSING, commands=commands, command=command)
  return (
    _PAGE.format(
      command=command,
      runs=runs,
      table=table([*rows.values()]),
      fill=fill if commands else '',
    ).rstrip()
    + '\n'
  )


def _same(ran: dict, config: ConfigDict) -> bool:
  """Whether a run was of the config as it ships, up to `_FREE`."""
  return _fixed(ran) == _fixed(json.loads(json.dumps(config.to_dict())))


def _fixed(config):
  """The fields of a config by their paths, without `_FREE`."""
  fields = traverse_util.flatten_dict(config, sep='.', keep_empty_nodes=True)
  return {path: x for path, x in fields.items() if path not in _FREE}


def main() -> None:
  """Prints the page, or writes it."""
  runs, out = pathlib.Path(flags.FLAGS.runs), flags.FLAGS.out
  command = f'python -m experiments.zoo --runs={runs}'
  text = page(runs, f'{command} --out={out}' if out else command)
  if out:
    files.write(pathlib.Path(out), text.encode())
    print(out)
  else:
    print(text, end='')


if __name__ == '__main__':
  flags.DEFINE_string('runs', 'runs', 'Folder below which finished runs lie.')
  outputs.DEFINE_file('out', '', 'File for the table; empty: the terminal.')
  cli.run(main)
