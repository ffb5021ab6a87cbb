r"""Residual (2+1)D units with micro-attention units, on the whole face.

The abstract's "micro-attention operates in tandem with residual networks":
a short stem, then stages of units x + F(x) * (1 + A).

python -m mefnet_jax.main --config=configs/residual.py --workdir=runs/residual
python -m mefnet_jax.main --config=configs/residual.py \
    --config.model.depth='(1,1,1)' --config.model.width='(16,32,64)'
"""

from configs import mecnn


def get_config():
  config = mecnn.get_config()
  config.model.name = 'residual'
  config.model.conv = '2plus1d'
  config.model.kernel = (3, 3, 3)
  config.model.depth = (2, 2)
  config.model.width = (32, 64)
  # The units attend by themselves; the stem stays plain and fast.
  config.model.channel_attention = False
  config.model.spatial_attention = False
  config.model.normalisation = 'group'
  return config
