"""The PyTorch example of docs/halfway.md runs, and its predictions are read."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

from mefnet_jax.audit import audit, evidence
from mefnet_jax.runs import predictions

ROOT = pathlib.Path(__file__).parents[2]


def where_torch_is():
  """Folders to be searched last: of the benchmarks, if only they have it."""
  if importlib.util.find_spec('torch'):
    return []
  found = sorted(ROOT.glob('.venv-bench/lib/python3*/site-packages/torch'))
  if not found:
    pytest.skip('no torch here: make bench-step installs it')
  return [str(found[0].parent)]


@pytest.mark.slow  # torch alone takes seconds to import
def test_the_example_trains_and_its_predictions_are_audited(
  tiny_smic, tmp_path
):
  last = where_torch_is()
  text = (ROOT / 'docs' / 'halfway.md').read_text()
  (code,) = re.findall('```python\n(.*?)```', text, re.DOTALL)
  (tmp_path / 'halfway.py').write_text(
    f'import sys\nsys.path += {last!r}\n'
    f'RELEASE, EPOCHS = {str(tiny_smic)!r}, 2\n{code}'
  )
  done = subprocess.run(
    [sys.executable, 'halfway.py'],
    cwd=tmp_path,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  found = predictions.read(tmp_path / 'predictions.csv')
  assert len(found.clip) == 9 and len(set(found.fold)) == 3
  said = audit.find(evidence.from_files(tmp_path / 'predictions.csv'))
  assert said['leaks'] == []
