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
# # 2. Your own SMIC or CAS(ME)^2 folder
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mefnet/mefnet_jax/blob/main/notebooks/2_your_own_folder.ipynb)
#
# Below set `DATASET`, and `RELEASE` to the folder that you were given with your
# licence, and run all cells. As it stands a synthetic CAS(ME)^2 with the defects of the
# real one takes its place. Do not share this notebook with outputs that show
# licensed faces.

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
os.environ['DATASET'] = 'cas_me2'  # or smic
os.environ['RELEASE'] = str(runs / 'cas_me2')  # the folder of your release
os.environ['FLAGS'] = '--config.train.epochs=2 --config.protocol.folds=3 --config.model.filters=4 --config.model.hidden=(8,) --config.dataset.face=32 --config.dataset.eyes=16 --config.dataset.mouth=16 --config.protocol.name=kfold' if small else '--config.protocol.name=loso'
os.environ['CLIPS'] = '--subjects=6' if small else '--seed=0'

# %% language="bash"
# set -e
# mkdir -p $RUNS
# [ -d $RELEASE ] || python -m mefnet_jax.synthetic.release --layout=$DATASET --out=$RELEASE $CLIPS

# %% [markdown]
# ## What lies on disk
#
# What is found, missing and repaired, before anything is trained. A defect that
# makes the release unusable ends the cell with one line that says why.

# %% language="bash"
# python -m mefnet_jax.datasets.check --dataset=$DATASET --release=$RELEASE

# %% [markdown]
# ## Train
#
# Each clip is prepared once (face found, frames registered to the onset, brought
# to 18) and kept in the cache; the next run starts in seconds.

# %% language="bash"
# set -e
# python -m mefnet_jax.main --config=configs/mecnn.py --workdir=$RUNS/own --config.dataset.name=$DATASET --config.dataset.release=$RELEASE $FLAGS

# %%
import json

import pandas as pd

report = json.loads((runs / 'own' / 'report.json').read_text())
print(report['release'], '|', report['verdict'])
pd.DataFrame(report['confusion'], report['classes'], report['classes'])

# %% [markdown]
# ## Person by person, and what the preparation met

# %%
findings = runs / 'own' / 'findings.csv'
display(pd.DataFrame(report['per_subject']).head(12))
print(findings.read_text()[:1500] if findings.exists() else 'no findings')
