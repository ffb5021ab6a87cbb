r"""MEFNet on the public flow maps of the MEGC2019 composite: LOSO, 68 subjects.

python -m mefnet_jax.main --config=configs/mefnet_flow.py --workdir=runs/flow \
    --config.dataset.release=DIR
python -m mefnet_jax.main --config=configs/mefnet_flow.py:mfcnn

The maps need no licence form. A map is one frame (u, v, strain), so that
kernels have no time axis. mecnn sees the whole map, mfcnn its upper and lower
half. Whoever made the maps stretched each channel of each image, so they are
used at a fixed scale. Attention comes after the pooling, which is nine times
cheaper: there are 68 folds.
"""

from configs import base_cnn, mecnn, mfcnn

_MODELS = {
  'mecnn': mecnn.get_config,
  'mfcnn': mfcnn.get_config,
  'intermediate': lambda: mfcnn.get_config('intermediate'),
  'base': base_cnn.get_config,
}


def get_config(model: str = 'mecnn'):
  if model not in _MODELS:
    raise ValueError(
      f'no variant {model!r}: choose one of {", ".join(_MODELS)}'
    )
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
