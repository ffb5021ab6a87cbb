r"""The table of the shipped configs: what each costs, and what it scored.

python -m experiments.zoo [--runs=runs] [--out=FILE.md]

Parameters and FLOPs are computed. Scores, training time and processor are those
of finished runs below --runs, the newest of each config; where there is none,
the table says so.
"""

import importlib
import json
import pathlib
import sys

import jax
from absl import flags
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
  *('config', 'network', 'parameters', 'MFLOPs a clip', 'data', 'UAR [95 %]'),
  *('UF1', 'training', 'processor'),
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
    return (*cells, 'no run here', '', '', '', '')
  x = own[-1]
  low, high = x['intervals']['uar'] or (float('nan'),) * 2
  words = ' '.join(x['notices']) or 'real'
  return (
    *cells,
    f'{x["dataset"]}, {words}',
    f'{x["metrics"]["uar"]:.3f} [{low:.3f}, {high:.3f}]',
    f'{x["metrics"]["uf1"]:.3f}',
    f'{x["seconds"]["train"]:.0f} s',
    x['device'],
  )


def table(runs: pathlib.Path) -> str:
  """Returns the table in Markdown."""
  reports = finished(runs)
  lines = [_HEAD, ('---',) * len(_HEAD)]
  lines += [row(name, config, reports) for name, config in configs().items()]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines) + '\n'


def _same(ran: dict, config: ConfigDict) -> bool:
  """Whether a run was of the config: network, input and protocol agree."""
  plain = json.loads(json.dumps(config.to_dict()))
  return all(
    ran.get(part) == plain[part] for part in ('model', 'input', 'protocol')
  )


def main() -> None:
  """Prints the table, or writes it."""
  text = table(pathlib.Path(flags.FLAGS.runs))
  if flags.FLAGS.out:
    files.write(pathlib.Path(flags.FLAGS.out), text.encode())
    print(flags.FLAGS.out)
  else:
    print(text, end='')


if __name__ == '__main__':
  flags.DEFINE_string('runs', 'runs', 'Folder below which finished runs lie.')
  outputs.DEFINE_file('out', '', 'File for the table; empty: the terminal.')
  cli.run(main)
