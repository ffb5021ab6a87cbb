"""What the law and the science say of such a tool, in one place for all."""

LAW = (
  'In the EU it has been forbidden since 2 February 2025 to infer the emotions '
  'of people at work or in education from their faces, save for medical or '
  'safety reasons (AI Act, Regulation (EU) 2024/1689, art. 5(1)(f)); other '
  'emotion recognition counts as high-risk (Annex III), and the people it '
  'looks at must be told (art. 50(3)).'
)
SCIENCE = (
  'A micro-expression is a movement of a face. It is no proof of a lie, of an '
  'intention or of a feeling.'
)
TRAINING = (
  'mefnet-zero was trained on rendered heads alone; docs/zero.md says on which '
  'public recordings of which people it was tested. On other faces, cameras '
  'and light its errors are not known.'
)
TEXT = f'{SCIENCE} {LAW} {TRAINING}'
SHORT = (
  'A micro-expression is no proof of a lie or a feeling. Inferring emotions at '
  'work or in schools is banned in the EU (AI Act, art. 5(1)(f)).'
)
