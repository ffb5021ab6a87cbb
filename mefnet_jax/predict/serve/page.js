'use strict';

const at = (id) => document.getElementById(id);
const seconds = (x) => `${x.toFixed(2)} s`;
const expressions = (n) => `${n} expression${n === 1 ? '' : 's'}`;
let timer = 0, shown = '';

const words = {
  idle: () => 'No video yet.',
  uploading: (job) => `Taking ${job.name} ...`,
  watching: (job) => `Watching ${job.name}: frame ${job.frame || 0}`
    + (job.expected ? ` of ${job.expected}` : ''),
  done: (job) => `${job.name}: ${expressions(job.events.length)} in `
    + `${seconds(job.seconds)}.`,
  failed: (job) => `Failed: ${job.error}`,
};

function row(event) {
  const line = document.createElement('tr');
  const label = event.label + (event.unsure ? ' (unsure)' : '');
  for (const text of [seconds(event.onset), seconds(event.apex),
    seconds(event.offset), event.face, event.kind, label,
    event.confidence.toFixed(2)]) {
    const cell = document.createElement('td');
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

function mark(event, length) {
  const bar = document.createElement('span');
  bar.className = event.kind;
  bar.style.left = `${100 * event.onset / length}%`;
  bar.style.width = `${100 * (event.offset - event.onset) / length}%`;
  bar.title = `${event.label} at ${seconds(event.apex)}`;
  return bar;
}

function drawn(kind, facts, text = '') {
  const made = document.createElementNS(at('overlay').namespaceURI, kind);
  for (const [name, value] of Object.entries(facts)) {
    made.setAttribute(name, value);
  }
  made.textContent = text;
  return made;
}

/** The faces of the latest frame: outlines, and the frame if it is shown. */
function overlay({ width, height, image, faces, seconds: time }) {
  const thin = { 'stroke-width': width / 400 };
  const parts = faces.flatMap((face) => [
    drawn('rect', { ...thin, ...face.box }),
    ...face.lines.map((points) => drawn('polyline', { ...thin, points })),
    drawn('text', { x: face.box.x, y: Math.max(face.box.y - 4, width / 25),
      'font-size': width / 25 }, face.face),
  ]);
  if (image) parts.unshift(drawn('image', { href: image, width, height }));
  at('overlay').setAttribute('viewBox', `0 0 ${width} ${height}`);
  at('overlay').replaceChildren(...parts);
  at('overlay').ariaLabel = `Faces: ${faces.length}, at ${seconds(time)}`;
}

/** A link to a file, by the name of its video, as the server sends it. */
function file(video, name) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = `files/${encodeURIComponent(name)}`;
  link.download = '';
  const stem = video.replace(/(.)\.[^.]*$/, '$1');
  link.textContent = name.replace(/^video/, () => stem);
  item.append(link);
  return item;
}

function show(job) {
  const busy = job.state === 'uploading' || job.state === 'watching';
  at('status').textContent = words[job.state](job);
  at('cancel').hidden = job.state !== 'watching';
  at('video').disabled = busy;
  at('progress').hidden = !busy;
  at('progress').value = job.expected ? (job.frame || 0) / job.expected : 0;
  const length = Math.max(job.seconds || 0,
    ...job.events.map((event) => event.offset), 1e-3);
  at('timeline').replaceChildren(
    ...job.events.map((event) => mark(event, length)));
  at('timeline').ariaLabel = expressions(job.events.length);
  at('length').textContent = seconds(length);
  at('found').hidden = !(job.overlay || job.events.length || job.files);
  if (job.overlay) overlay(job.overlay);
  else at('overlay').replaceChildren();
  at('events').replaceChildren(...job.events.map(row));
  at('files').replaceChildren(...(job.files || []).map((name) => file(job.name, name)));
}

/** Shows the job; what has not changed stays, and with it the focus. */
async function refresh() {
  let wait = 3000;
  try {
    const text = await (await fetch('job')).text(), job = JSON.parse(text);
    if (text !== shown) show(job);
    shown = text;
    if (['uploading', 'watching'].includes(job.state)) wait = 500;
  } catch {
    shown = '';
    at('status').textContent = 'The server is gone. Start it again.';
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, wait);
}

/** Sends a video; returns why it was refused, or ''. */
async function sent(video) {
  const largest = Number(document.body.dataset.largest);
  if (video.size > largest) {
    return `more than ${Math.round(largest / 2 ** 20)} MiB: use the command line`;
  }
  const name = encodeURIComponent(video.name);
  try {
    const answer = await fetch(`video?name=${name}`,
      { method: 'POST', body: video });
    return answer.ok ? '' : await answer.text();
  } catch {
    return 'it could not be read or sent';
  }
}

async function send(video) {
  if (!video) return;
  shown = '';
  at('status').textContent = `Taking ${video.name} ...`;
  const why = await sent(video);
  if (why) at('status').textContent = `Refused: ${why}`;
  clearTimeout(timer);
  timer = setTimeout(refresh, why ? 4000 : 0);
}

at('video').addEventListener('change', (e) => {
  send(e.target.files[0]);
  e.target.value = ''; // the same video may be chosen again
});
at('cancel').addEventListener('click', () => fetch('cancel', { method: 'POST' }));
for (const kind of ['dragover', 'dragleave', 'drop']) {
  // Wherever it is dropped: the browser would show it in place of the page.
  document.addEventListener(kind, (e) => {
    e.preventDefault();
    at('drop').classList.toggle('over', kind === 'dragover');
    if (kind === 'drop') send(e.dataTransfer.files[0]);
  });
}
refresh();
