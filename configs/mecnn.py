r"""MECNN: the whole face, with channel and spatial-temporal attention.

python -m mefnet_jax.main --config=configs/mecnn.py --workdir=runs/mecnn
"""

from configs import base


def get_config():
  config = base.get_config()
  config.model.name = 'mecnn'
  config.model.hidden = (128,)
  del config.model.fusion
  return config
