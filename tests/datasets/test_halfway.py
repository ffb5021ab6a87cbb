"""The PyTorch example of docs/halfway.md runs, and its predictions are read."""

import pathlib
import re

import pytest

from mefnet_jax.audit import audit, evidence
from mefnet_jax.runs import predictions

ROOT = pathlib.Path(__file__).parents[2]


def test_the_example_trains_and_its_predictions_are_audited(
  tiny_smic, tmp_path, monkeypatch
):
  pytest.importorskip('torch')
  text = (ROOT / 'docs' / 'halfway.md').read_text()
  (code,) = re.findall('```python\n(.*?)```', text, re.DOTALL)
  monkeypatch.chdir(tmp_path)
  scope = {'RELEASE': str(tiny_smic), 'EPOCHS': 2, '__name__': 'example'}
  exec(compile(code, 'halfway.py', 'exec'), scope)
  scope['main']()
  found = predictions.read(tmp_path / 'predictions.csv')
  assert len(found.clip) == 9 and len(set(found.fold)) == 3
  said = audit.find(evidence.from_files(tmp_path / 'predictions.csv'))
  assert said['leaks'] == []
