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
# # 1. Quickstart
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mefnet/mefnet_jax/blob/main/notebooks/1_quickstart.ipynb)
#
# From nothing to an honest report: a release of faces that belong to nobody, a
# network trained on some people and tested on others. All of it is SYNTHETIC: a
# score here is evidence about the code, not about faces.

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

# %% [markdown]
# ## A synthetic release
#
# Exactly the layout of SMIC, 164 clips of 16 people in about a minute.

# %% language="bash"
# set -e
# mkdir -p $RUNS
# [ -d $RUNS/smic ] || python -m mefnet_jax.synthetic.release --layout=smic --out=$RUNS/smic $CLIPS
# python -m mefnet_jax.datasets.check --dataset=smic --release=$RUNS/smic

# %%
import matplotlib.pyplot as plt
from configs import mfcnn

from mefnet_jax import datasets

config = mfcnn.get_config()
config.dataset.release = str(runs / 'smic')
clips = datasets.load(config.dataset)

figure, axes = plt.subplots(3, 6, figsize=(9, 4.8))
for row, name in zip(axes, ('face', 'eyes', 'mouth')):
  for axis, t in zip(row, range(0, 18, 3)):
    axis.imshow(clips.streams[name][0, t, ..., 0], cmap='gray')
    axis.set_axis_off()
    axis.set_title(f'{name}, frame {t + 1}', fontsize=8)
figure.suptitle(f'SYNTHETIC {clips.clip[0]}: {clips.classes[clips.label[0]]}');

# %% [markdown]
# ## Train and test
#
# MFCNN: an eye and a mouth stream. Whole people are held out in each fold. Run
# the cell once more and it resumes what is there.

# %% language="bash"
# set -e
# python -m mefnet_jax.main --config=configs/mfcnn.py --workdir=$RUNS/quickstart --config.dataset.release=$RUNS/smic $FLAGS

# %% [markdown]
# ## The report

# %%
import json

import pandas as pd
from IPython.display import Image, display

report = json.loads((runs / 'quickstart' / 'report.json').read_text())
print(report['verdict'])
pd.DataFrame({'score': report['metrics'], '95 % over people': report['intervals']}).loc[['uar', 'uf1', 'accuracy', 'precision', 'specificity']]

# %%
for name in ('scores', 'confusion', 'curves'):
  display(Image(str(runs / 'quickstart' / 'figures' / f'{name}.png'), width=520))

# %% [markdown]
# `report.html` in the same folder is the whole report as one page.
