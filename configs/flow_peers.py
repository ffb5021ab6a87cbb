r"""Published networks for motion maps, written from their papers: LOSO.

python -m mefnet_jax.main --config=configs/flow_peers.py:ststnet_like \
    --workdir=runs/ststnet_like --config.dataset.release=DIR
python -m mefnet_jax.main --config=configs/flow_peers.py:off_apexnet_like

Rows of docs/leaderboard.md, trained by this project's recipe: 100 epochs of
Adam at 1e-3, batches of 64, the last epoch, whatever its score. That recipe was
written down before any of their scores was seen, and is not the papers'.
"""

import ml_collections

from configs import base

_WIDTH = {'ststnet_like': (3, 5, 8), 'off_apexnet_like': (6, 16)}


def get_config(model: str = 'ststnet_like'):
  if model not in _WIDTH:
    raise ValueError(f'no variant {model!r}: choose one of {", ".join(_WIDTH)}')
  config = base.get_config()
  config.dataset.name = 'megc_flow'
  config.input = 'as_is'
  config.protocol.name = 'loso'
  config.train.epochs = 100
  config.model = ml_collections.ConfigDict()
  config.model.name = model
  config.model.streams = ('face',)
  config.model.width = _WIDTH[model]
  config.model.dropout = 0.5
  if model == 'off_apexnet_like':
    config.model.hidden = (1024, 1024)
  return config
