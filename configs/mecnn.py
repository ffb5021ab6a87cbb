r"""MECNN: the whole face, with channel and spatial-temporal attention.

python -m mefnet_jax.main --config=configs/mecnn.py --workdir=runs/mecnn
"""

from configs import base

_FUSION = ('fusion', 'fusion_norm', 'modality_dropout', 'vocabulary')


def get_config():
  config = base.get_config()
  config.model.name = 'mecnn'
  config.model.streams = ('face',)
  config.model.hidden = (128,)
  for field in _FUSION:
    del config.model[field]
  return config
