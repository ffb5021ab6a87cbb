"""Each mistake of a command line is one line, exit 1, and nothing is left."""

import pathlib

import pytest

from tests.fixtures import forked

ROOT = pathlib.Path(__file__).parents[2]
LONG = 'x' * 10_000
DIGITS = '9' * 5_000
BASE = (
  'from configs import base\n\ndef get_config():\n  c = base.get_config()\n'
)
# What a config file may be that is none; {} stands for its text's rest.
CONFIGS = {
  'raises.py': '1 / 0\n',
  'variants.py': 'def get_config(one=None):\n  raise ValueError("of a, b")\n',
  'raises_later.py': 'def get_config():\n  return {}["x"]\n',
  'type_error.py': 'def get_config():\n  return 1 + "x"\n',
  'exits.py': 'import sys\nsys.exit(0)\n',
  'imports.py': 'import no_such_module\n',
  'disk.py': 'def get_config():\n  open("/no/such/file")\n',
  'nothing.py': 'def get_config():\n  pass\n',
  'dict.py': 'def get_config():\n  return {"seed": 1}\n',
  'no_function.py': 'seed = 1\n',
  'syntax.py': 'def get_config(:\n',
  'bytes.py': '\0\0',
  'lacks_group.py': f'{BASE}  del c.train\n  return c\n',
  'lacks_field.py': f'{BASE}  del c.train.epochs\n  return c\n',
  'unknown_field.py': f'{BASE}  c.train.epoch = 3\n  return c\n',
  'text.py': f'{BASE}  del c.seed\n  c.seed = "0"\n  return c\n',
  'flag.py': f'{BASE}  del c.seeds\n  c.seeds = True\n  return c\n',
  'number.py': f'{BASE}  del c.model.pool\n  c.model.pool = 3\n  return c\n',
  'group.py': f'{BASE}  del c.dataset\n  c.dataset = "smic"\n  return c\n',
  'words.py': f'{BASE}  c.model.kernel = ("a", 3, 3)\n  return c\n',
}
WORKDIR = '--workdir={tmp}/w'
MAIN = ('mefnet_jax.main', '--config=configs/mfcnn.py', WORKDIR)
RELEASE = ('mefnet_jax.synthetic.release', '--layout=cas_me2', '--out={tmp}/r')
CHECK = ('mefnet_jax.datasets.check', '--dataset=smic')
LEAKAGE = ('experiments.leakage', '--out={tmp}/e', '--small')
STUDY = ('experiments.kernel_size', '--out={tmp}/e', '--small')
# A command line, and a word that its one line says.
MISTAKES = [
  *[
    (('mefnet_jax.main', f'--config={{tmp}}/{name}', WORKDIR), name)
    for name in CONFIGS
    if name not in ('lacks_group.py', 'lacks_field.py', 'unknown_field.py')
    and name not in ('text.py', 'flag.py', 'number.py', 'group.py', 'words.py')
  ],
  (('mefnet_jax.main', '--config={tmp}/lacks_group.py', WORKDIR), 'train'),
  (('mefnet_jax.main', '--config={tmp}/lacks_field.py', WORKDIR), 'epochs'),
  (('mefnet_jax.main', '--config={tmp}/unknown_field.py', WORKDIR), "'epochs'"),
  (('mefnet_jax.main', '--config={tmp}/text.py', WORKDIR), "seed='0'"),
  (('mefnet_jax.main', '--config={tmp}/flag.py', WORKDIR), 'seeds=True'),
  (('mefnet_jax.models', '--config={tmp}/number.py'), 'pool=3'),
  (('mefnet_jax.models', '--config={tmp}/raises.py'), 'line 1'),
  (
    ('mefnet_jax.models', '--config={tmp}/variants.py:c'),
    'variants.py:c: it raises ValueError: of a, b (line 2)',
  ),
  (('mefnet_jax.datasets.prepare', '--config={tmp}/group.py'), 'a group'),
  (('mefnet_jax.datasets.prepare', '--config={tmp}/words.py'), 'kernel'),
  ((*MAIN, '--config.dataset.release=~nosuchuser/x'), 'nosuchuser'),
  ((*MAIN, f'--config.dataset.release=/{LONG}'), 'too long'),
  ((*MAIN, f'--config.train.epochs={DIGITS}'), 'digits'),
  ((*MAIN, '--config.train.epochs=' + '9' * 400), 'too large'),
  ((*MAIN, '--config.train.learning_rate=1e400'), 'not finite'),
  ((*MAIN, '--config.train.epochs=1e3'), 'epochs=1e3: a whole number'),
  ((*MAIN, '--config.train.learning_rate=1,5'), 'rate=1,5: a number'),
  ((*MAIN, '--config.dataset.colour=yes'), 'colour=yes: true or false'),
  ((*MAIN, '--config.model.kernel=(3,'), 'kernel=(3,: a list such as'),
  ((*MAIN, '--config.train=None'), 'train=None: a group of fields'),
  (('mefnet_jax.main', '--config=mfcnn', f'--workdir={{tmp}}/{LONG}'), 'long'),
  (('mefnet_jax.main', '--config=mfcnn', '--workdir={tmp}/dict.py'), 'dict.py'),
  (('mefnet_jax.main', f'--config={LONG}'), 'too long'),
  ((*MAIN, f'--processes={DIGITS}'), 'processes'),
  ((*RELEASE, '--rawpic=-5'), '--rawpic=-5'),
  ((*RELEASE, '--clips=0'), '--clips=0'),
  ((*RELEASE, '--clips=x'), '--clips'),
  ((*RELEASE, f'--seed={DIGITS}'), '--seed'),
  ((*RELEASE, f'--seed={10**30}'), '--seed'),
  ((*RELEASE, '--defects=odd'), 'odd'),
  (('mefnet_jax.synthetic.release', '--layout=zz', '--out={tmp}/r'), 'zz'),
  ((*RELEASE[:2], f'--out={{tmp}}/{LONG}'), 'too long'),
  ((*RELEASE[:2], '--out={tmp}/dict.py/r'), 'dict.py'),
  ((*CHECK, '--release=~nosuchuser/x'), 'nosuchuser'),
  ((*CHECK, f'--release=/{LONG}'), 'too long'),
  ((*CHECK, '--release={tmp}', '--allow_lost=much'), '--allow-lost'),
  (('mefnet_jax.datasets.check', '--release={tmp}'), '--dataset'),
  (('mefnet_jax.audit', f'/{LONG}'), 'too long'),
  (
    ('mefnet_jax.audit', '{tmp}/dict.py', '--clips=c.csv'),
    'write --predictions=',
  ),
  (('mefnet_jax.report', 'page', '~nosuchuser/x'), 'nosuchuser'),
  (('mefnet_jax.explain', f'--workdir=/{LONG}', '--out={tmp}/o'), 'too long'),
  (('mefnet_jax.explain', '--workdir={tmp}/w', '--out={tmp}/o'), 'config.json'),
  ((*LEAKAGE, '--smic=~nosuchuser/x'), 'nosuchuser'),
  ((*LEAKAGE, '--variants=zz'), 'zz'),
  ((*LEAKAGE, f'--epochs={DIGITS}'), 'epochs'),
  ((*STUDY, '--release=~nosuchuser/x'), 'nosuchuser'),
  ((*STUDY, '--models=zz'), 'zz'),
  ((*STUDY, f'--folds={DIGITS}'), '--folds'),
  ((*STUDY, '--protocol=zz'), 'zz'),
  (('benchmarks.models', '--networks=zz'), 'zz'),
  (('benchmarks.models', '--contestants=ours,zz'), 'zz'),
  (('benchmarks.models', '--peers=/nosuch'), '/nosuch'),
  (('benchmarks.models', '--frames=18,x'), '--frames'),
  (('benchmarks.cross_validation', '--networks=zz'), 'zz'),
  (('benchmarks.cross_validation', '--protocols=zz'), 'zz'),
  (('benchmarks.step', '--repeats=0'), '--repeats'),
  (('benchmarks.kill', f'--kills={DIGITS}'), '--kills'),
]


@pytest.mark.parametrize(
  ('words', 'said'), MISTAKES, ids=lambda x: ' '.join(x)[:60]
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, words, said):
  for name, text in CONFIGS.items():
    (tmp_path / name).write_text(text)
  (tmp_path / 'cwd').mkdir()
  before = sorted(tmp_path.rglob('*')), sorted(ROOT.glob('*'))
  module, *args = (word.replace('{tmp}', str(tmp_path)) for word in words)
  done = forked.run(module, args)
  assert done.returncode == 1, done.stdout + done.stderr
  lines = done.stderr.splitlines()
  assert len(lines) == 1, done.stderr
  assert lines[0].startswith('error: ') and said in lines[0]
  assert len(lines[0]) < 3000
  left = sorted(p for p in tmp_path.rglob('*') if p.name != '__pycache__')
  left = [p for p in left if p.suffix != '.pyc']
  assert (left, sorted(ROOT.glob('*'))) == before
