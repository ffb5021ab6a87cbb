r"""The paper's Table 1 (networks x releases x protocols), beside its claims.

python -m experiments.table1 --out=runs/table1 [--datasets=smic,cas_me2]
    [--smic=DIR] [--cas-me2=DIR] [--small]

The paper's two protocols split by clip and are LEAKY; kfold and loso hold
whole subjects out. What is there already is not run again.
"""

from configs import base_cnn, mecnn, mfcnn
from experiments import running, tables
from mefnet_jax.evaluation import published
from mefnet_jax.runs import cli

NETWORKS = {
  'base': base_cnn.get_config,
  'mecnn': mecnn.get_config,
  'mfcnn-intermediate': lambda: mfcnn.get_config('intermediate'),
  'mfcnn-late': mfcnn.get_config,
}
PROTOCOLS = {
  'holdout': "paper's hold-out, 80/20 by clip",
  'kfold_clips': "paper's K = 6, by clip",
  'kfold': 'K = 6, whole subjects',
  'loso': 'leave one subject out',
}
_CLAIMED = ('accuracy', 'recall', 'f1', 'war', 'uar')


def variants(datasets, prepare) -> dict:
  """Returns configs by name; `prepare(config, dataset)` sets the release."""
  made = {}
  for dataset in datasets:
    for network, get_config in NETWORKS.items():
      for protocol in PROTOCOLS:
        config = prepare(get_config(), dataset)
        config.protocol.name = protocol
        made[f'{dataset}-{network}-{protocol}'] = config
  return made


def rows(reports: dict[str, dict]) -> list[dict]:
  """Returns one row per run, with the paper's claims in separate columns."""
  return [
    tables.row(
      report,
      release=report['dataset'],
      network=report['model'],
      protocol=PROTOCOLS[report['protocol']],
    )
    | {
      f'claim_{key}': published.paper_claims(
        report['dataset'], report['model']
      ).get(key, '')
      for key in _CLAIMED
    }
    for report in reports.values()
  ]


def main():
  """Runs the unfinished variants, and writes table1.csv, .md, .png, .svg."""
  running.main(
    'table1',
    variants,
    rows,
    title='Table 1: networks and protocols',
    first=['release', 'network', 'protocol'],
  )


if __name__ == '__main__':
  running.define('table1')
  cli.run(main)
