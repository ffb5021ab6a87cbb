r"""MEFNet on the public flow maps of the MEGC2019 composite: LOSO, 68 subjects.

python -m mefnet_jax.main --config=configs/mefnet_flow.py --workdir=runs/flow \
    --config.dataset.release=DIR
python -m mefnet_jax.main --config=configs/mefnet_flow.py:mfcnn
python -m mefnet_jax.main --config=configs/mefnet_flow.py:transfer \
    --workdir=runs/transfer --config.dataset.release=DIR

The maps need no licence form. A map is one frame (u, v, strain), so that
kernels have no time axis. mecnn sees the whole map, mfcnn its upper and lower
half. Whoever made the maps stretched each channel of each image, so they are
used at a fixed scale. Attention comes after the pooling, which is nine times
cheaper: there are 68 folds.

transfer begins with the weights that ship, which have seen no real face, and
trains a head on the real training subjects of each fold (docs/zero.md).
"""

import ml_collections

from configs import base_cnn, mecnn, mefnet_zero, mfcnn

_MODELS = {
  'mecnn': mecnn.get_config,
  'mfcnn': mfcnn.get_config,
  'intermediate': lambda: mfcnn.get_config('intermediate'),
  'base': base_cnn.get_config,
}


VARIANTS = (*_MODELS, 'transfer')


def get_config(model: str = 'mecnn'):
  if model not in VARIANTS:
    raise ValueError(
      f'no variant {model!r}: choose one of {", ".join(VARIANTS)}'
    )
  if model == 'transfer':
    return _transfer()
  config = _MODELS[model]()
  config.dataset.name = 'megc_flow'
  config.input = 'as_is'
  config.protocol.name = 'loso'
  config.model.form = '2d'
  config.model.kernel = (1, 3, 3)
  config.model.pool = (1, 3, 3)
  config.model.hidden = (128,)
  if 'attention_place' in config.model:
    config.model.attention_place = 'pool'
  return config


def _transfer():
  config = mefnet_zero.get_config()
  del config.synthetic
  config.protocol.name = 'loso'
  config.seeds = 1
  config.train.class_weights = True
  config.transfer = ml_collections.ConfigDict()
  # Of whole training subjects; they choose the head of a fold.
  config.transfer.folds = 5
  return config
