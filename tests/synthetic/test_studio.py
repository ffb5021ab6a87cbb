"""What synthetic releases hold: the published counts, met by every seed."""

import collections
import re

import numpy as np

from mefnet_jax.synthetic import cas_me2, cas_me2_expressions, smic, studio


def test_smic_meets_the_published_counts():
  shots = smic.plan(3).shots
  emotions_of = collections.Counter(s.emotion for s in shots)
  assert emotions_of == {'negative': 70, 'positive': 51, 'surprise': 43}
  assert collections.Counter(s.subject for s in shots) == {
    **{1: 6, 2: 6, 3: 39, 4: 19, 5: 2, 6: 4, 8: 13, 9: 4, 11: 7, 12: 9},
    **{13: 10, 14: 10, 15: 4, 18: 7, 19: 2, 20: 22},
  }
  lengths = [len(s.numbers) for s in shots]
  assert min(lengths) == 11 and max(lengths) == 58
  assert 33.5 < np.mean(lengths) < 34.5
  assert sum(length < 18 for length in lengths) == 4
  assert len({s.name for s in shots}) == 164


def test_smic_frame_numbers_have_six_to_eight_digits_and_no_order_as_text():
  shots = smic.plan(0).shots
  names = [[s.pattern.format(n) for n in s.numbers] for s in shots]
  for own in names:
    for name in own:
      assert re.fullmatch(r'reg_image\d{6,8}\.bmp', name)
  assert any(own != sorted(own) for own in names)


def test_smic_slow_cameras():
  for subset in ('vis', 'nir'):
    shots = smic.plan(0, subset=subset).shots
    assert len(shots) == 71 and len({s.subject for s in shots}) == 8
    assert shots[0].fps == 25
    assert re.fullmatch(
      r'reg_\d{5}\.bmp', shots[0].pattern.format(shots[0].numbers[0])
    )


def test_cas_me2_meets_the_published_counts():
  found = cas_me2_expressions.draw(np.random.default_rng(5))
  micro = [e for e in found if not e.macro]
  macro = [e for e in found if e.macro]
  assert len(micro) == 57 and len(macro) == 300
  three = [e for e in found if e.emotion != 'others']
  assert collections.Counter(e.emotion for e in three) == {
    'negative': 126,
    'positive': 124,
    'surprise': 25,
  }
  per_subject = collections.Counter(e.subject for e in micro)
  assert per_subject == {
    **{15: 2, 16: 8, 19: 1, 23: 3, 24: 8, 25: 4, 27: 11, 29: 1, 30: 2},
    **{31: 6, 32: 6, 35: 2, 37: 2, 38: 1},
  }
  watched = collections.Counter(e.prefix[:-1] for e in found)
  assert watched == {'happy': 167, 'anger': 102, 'disgust': 88}
  reports = collections.Counter(e.report for e in found)
  assert reports['happiness'] == 147 and sum(reports.values()) == 357
  assert len({(e.subject, e.name) for e in found}) == 357
  lengths = [e.length for e in micro]
  assert (min(lengths), np.median(lengths), max(lengths)) == (9, 14, 17)


def test_cas_me2_expressions_of_a_video_do_not_overlap_unless_asked():
  def overlaps(plan):
    videos = collections.defaultdict(list)
    for shot in plan.shots:
      videos[shot.subject, shot.name.split('_')[1]] += shot.numbers
    return sum(len(n) != len(set(n)) for n in videos.values())

  assert overlaps(cas_me2.plan(0)) == 0
  assert overlaps(cas_me2.plan(0, defects=('overlap',))) > 0


def test_another_seed_is_another_release():
  one, other = smic.plan(0).shots, smic.plan(1).shots
  assert [s.numbers for s in one] != [s.numbers for s in other]
  faces = [studio.set_scene(s[0], k) for k, s in enumerate((one, other))]
  assert (faces[0].person.points != faces[1].person.points).any()


def test_a_misfiled_video_lands_under_another_subject():
  planned = cas_me2.plan(0, defects=('misfiled',))
  (misfiled,) = planned.videos
  assert misfiled.folder.endswith('rawpic/s19/23_0502funnyerrors')
  assert {shot.subject for shot in misfiled.shots} == {23}
