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
# # 3. Saliency
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mefnet/mefnet_jax/blob/main/notebooks/3_saliency.ipynb)
#
# Why does the network say what it says? Each clip is explained by the fold that
# never saw it. The faces are SYNTHETIC; of a licensed release the pictures show
# only the outline of the landmarks, unless you ask for more.

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
os.environ['FLAGS'] = '--config.train.epochs=2 --config.protocol.folds=3 --config.model.filters=4 --config.model.hidden=(8,) --config.dataset.face=32 --config.dataset.eyes=16 --config.dataset.mouth=16' if small else '--config.train.epochs=30'
os.environ['WHY'] = '--clips=2 --methods=gradient,integrated_gradients,grad_cam,attention' if small else '--clips=12'

# %% language="bash"
# set -e
# mkdir -p $RUNS
# [ -d $RUNS/smic ] || python -m mefnet_jax.synthetic.release --layout=smic --out=$RUNS/smic $CLIPS
# python -m mefnet_jax.main --config=configs/mecnn.py --workdir=$RUNS/mecnn --config.dataset.release=$RUNS/smic $FLAGS
# rm -rf $RUNS/why
# python -m mefnet_jax.explain --workdir=$RUNS/mecnn --out=$RUNS/why $WHY

# %%
from IPython.display import Image, display

strips = sorted((runs / 'why' / 'clips').glob('*.png'))
for strip in strips[:1]:
  display(Image(str(strip)))

# %% [markdown]
# ## Which part of the face, for which class

# %%
import pandas as pd

display(Image(str(runs / 'why' / 'regions.png'), width=760))
pd.read_csv(runs / 'why' / 'regions.csv').query('`class` == "all"').pivot(index='region', columns='method', values='share')

# %% [markdown]
# ## The library, on any function
#
# `saliency` knows nothing of these networks: any JAX function of a batch will do.
# Integrated gradients add up to what they explain; here is how exactly.

# %%
import functools

import numpy as np

from mefnet_jax import saliency
from mefnet_jax.explain import networks, runs as finished

run = finished.load(runs / 'mecnn')
index = finished.choose_clips(run, '1')
f = functools.partial(networks.apply, run.model.network)
x = run.views(index)
target = run.probabilities[index].argmax(1)
weights = run.weights(run.held_out[index[0]])

maps = saliency.integrated_gradients(f, x, target, steps=64, args=(weights,))
gap, rise = saliency.completeness_gap(f, x, maps, target, args=(weights,))
print(f'sum of the map {float(gap[0] + rise[0]):.4f}, rise of the score {float(rise[0]):.4f}')

# %%
import matplotlib.pyplot as plt

over_time = np.abs(maps['face'][0]).sum((1, 2, 3))
plt.figure(figsize=(6, 2.4))
plt.plot(range(1, len(over_time) + 1), over_time / over_time.sum(), 'o-')
plt.title(f'SYNTHETIC {run.clips.clip[index[0]]}: when, by integrated gradients')
plt.xlabel('frame')
plt.ylabel('share');
