# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Kernel sizes
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mefnet/mefnet_jax/blob/main/notebooks/4_kernel_sizes.ipynb)
#
# How long should a 3D kernel be in time, how wide in space, and does taking it
# apart into space and time ((2+1)D) cost anything? A small grid, SYNTHETIC data,
# whole people held out. The full study: `python -m experiments.kernel_size
# --out=runs/kernel_size`.

# %% language="bash"
# set -e
# # On Colab: fetch the project and what it needs. Elsewhere nothing is done.
# [ -d configs ] || [ -d ../configs ] || git clone --quiet --depth 1 https://github.com/mefnet/mefnet_jax
# [ -d ../configs ] || python -c 'import flax, dlib, mefnet_jax' 2>/dev/null || pip install --quiet -e ./mefnet_jax

# %%
import os
import pathlib
import sys

os.chdir(next(p for p in ('.', '..', 'mefnet_jax') if os.path.isdir(f'{p}/configs')))
sys.path.insert(0, os.getcwd())
os.environ['PATH'] = os.path.dirname(sys.executable) + ':' + os.environ['PATH']
os.environ.pop('FORCE_COLOR', None)  # plain text, no moving bars
runs = pathlib.Path(os.environ.setdefault('RUNS', 'runs/notebooks'))
small = os.environ.get('MEFNET_SMALL') == '1'  # as the tests run it
os.environ['CLIPS'] = '--clips=3 --subjects=4' if small else '--seed=0'
os.environ['GRID'] = '--models=mfcnn --convolutions=3d --spatial=1,3 --temporal=15 --epochs=1 --filters=2' if small else '--convolutions=3d,2plus1d'

# %% language="bash"
# set -e
# mkdir -p $RUNS
# [ -d $RUNS/smic ] || python -m mefnet_jax.synthetic.release --layout=smic --out=$RUNS/smic $CLIPS
# python -m experiments.kernel_size --out=$RUNS/kernel_size --small --release=$RUNS/smic $GRID

# %%
from IPython.display import Image, Markdown, display

display(Markdown((runs / 'kernel_size' / 'kernel_size.md').read_text()))
for name in ('heat_map', 'pareto'):
  display(Image(str(runs / 'kernel_size' / f'{name}.png'), width=860))

# %% [markdown]
# The intervals are over people. Where two of them overlap widely, the grid says
# nothing about which kernel is better.
