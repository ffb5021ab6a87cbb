"""Names in figures are legible or escaped, and never boxes."""

import matplotlib
import pytest
from matplotlib import font_manager

from mefnet_jax.runs import fonts


@pytest.fixture(autouse=True)
def only_dejavu(monkeypatch):
  """As where no other font is installed."""
  kept = [
    f for f in font_manager.fontManager.ttflist if f.name.startswith('DejaVu')
  ]
  monkeypatch.setattr(font_manager.fontManager, 'ttflist', kept)
  fonts._choose.cache_clear()
  yield
  fonts._choose.cache_clear()


def test_what_the_font_has_stays():
  given = {'Привет': ['négatif', 'Überraschung', 3, None, 'a\nb']}
  with fonts.legible(given) as (shown, note):
    assert shown == given and note == ''


def test_what_no_font_has_is_escaped_and_said():
  given = {'classes': ['消极', 'a积b'], 'n': 2.5, 'pair': ('积', 1)}
  with fonts.legible(given) as (shown, note):
    assert shown == {
      'classes': ['\\u6d88\\u6781', 'a\\u79efb'],
      'n': 2.5,
      'pair': ('\\u79ef', 1),
    }
    assert 'no installed font' in note


def test_a_font_that_has_it_is_found(monkeypatch):
  own = fonts._characters
  mono = font_manager.findfont('DejaVu Sans Mono')

  def characters(file):
    return own(file) | {'消'} if file == mono else own(file)

  monkeypatch.setattr(fonts, '_characters', characters)
  with fonts.legible(['消极']) as (shown, note):
    assert shown == ['消\\u6781'] and note
    assert matplotlib.rcParams['font.family'] == [
      'DejaVu Sans',
      'DejaVu Sans Mono',
    ]


def test_dollars_are_no_formula():
  from matplotlib import figure

  with fonts.legible(['$\\frac$', '\x1b[31m']) as ((name, code), _):
    drawn = figure.Figure()
    drawn.suptitle(name)
    drawn.canvas.draw()
    assert name == '$\\frac$' and '\x1b' not in code
