"""Experiments that compare variants of one config under one honest protocol."""

from absl import flags

from experiments import running, tables
from mefnet_jax.report import compare


def make(get_config, table: dict, datasets, prepare) -> dict:
  """Returns the config of each variant by name.

  Args:
    get_config: of the network, from configs/.
    table: for each variant its description, and the fields that differ.
    datasets: names of data sets.
    prepare: maps (config, dataset) to a config with release and size set.
  """
  configs = {}
  for dataset in datasets:
    for name, (_, fields) in table.items():
      config = prepare(get_config(), dataset)
      config.update_from_flattened_dict(fields)
      configs[f'{dataset}-{name}'] = config
  return configs


def rows(reports: dict[str, dict], table: dict) -> list[dict]:
  """Returns one row per variant."""
  return [
    tables.row(
      report,
      release=report['dataset'],
      variant=table[name.partition('-')[2]][0],
    )
    for name, report in reports.items()
  ]


def main(experiment: str, make, table: dict, title: str):
  """Runs the unfinished variants; writes table, figure and comparisons."""
  given = flags.FLAGS
  reports = running.main(
    experiment,
    make,
    lambda reports: rows(reports, table),
    title=f'{title}, K = 6 of whole subjects',
    first=['release', 'variant'],
  )
  for dataset in given.datasets:
    names = [name for name in reports if name.startswith(f'{dataset}-')]
    runs = [f'{given.out}/runs/{name}' for name in names]
    if len(runs) > 1:
      comparison = compare.markdown(compare.compare(runs, names))
      tables.text(given.out, f'{experiment}-{dataset}-compared.md', comparison)
