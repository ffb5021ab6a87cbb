r"""The layers, shapes, parameters and FLOPs of a config's network.

python -m mefnet_jax.models --config=configs/mfcnn.py
python -m mefnet_jax.models --config=configs/mecnn.py --drawing=mecnn.svg
python -m mefnet_jax.models --config=configs/base_cnn.py --classes=4
"""

from mefnet_jax import commands, describe

if __name__ == '__main__':
  commands.run(describe.main)
