import * as model from './model.js';
import * as motion from './motion.js';

const at = (id) => document.getElementById(id);
const say = (text) => { at('status').textContent = text; };
const pictures = {}; // bitmaps by 'onset' and 'apex'
let session, about;

/** Runs a task; what goes wrong is one line for the reader. */
const told = (task) => async (...args) => {
  try {
    await task(...args);
  } catch (error) {
    say(`Failed: ${error.message || error}`);
  }
};

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

const start = told(async () => {
  about = await (await fetched('model.json')).json();
  const bytes = new Uint8Array(await (await fetched('model.onnx')).arrayBuffer());
  session = await model.opened(bytes);
  at('model').textContent = `${about.name}, SHA-256 ${about.sha256}, `
    + `licence ${about.licence}`;
  at('head').append(...about.classes.map((name) => cell('th', name)));
  for (const one of at('head').children) one.scope = 'col';
  at('maps-file').disabled = false;
  ready();
  say('The model is ready.');
});

function cell(kind, text, value) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (value !== undefined) made.dataset.value = value;
  return made;
}

/** Adds a row to the answers. */
function answered(name, probabilities, note = '') {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const row = document.createElement('tr');
  row.append(cell('td', name), cell('td', about.classes[best] + note),
    ...probabilities.map((p) => cell('td', p.toFixed(2), p)));
  at('rows').append(row);
}

async function bitmap(file) {
  try {
    return await createImageBitmap(file,
      { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch {
    throw new Error(`${file.name}: not an image that this browser reads`);
  }
}

/** RGBA of a picture, or of a part of it at another size. */
function pixels(image, side, ...part) {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, ...part, 0, 0, side, side);
  return context.getImageData(0, 0, side, side).data;
}

async function stored(file) {
  const image = await bitmap(file), side = motion.CELLS;
  if (image.width !== side || image.height !== side) {
    throw new Error(`${file.name}: ${image.width} x ${image.height} pixels; a `
      + `motion map has ${side} x ${side}`);
  }
  return Uint8Array.from(pixels(image, side).filter((_, i) => i % 4 < 3));
}

/** The square of a picture that the sliders choose: left, top, side. */
function square(image) {
  const side = Math.min(image.width, image.height) * at('size').value;
  return [(image.width - side) * at('across').value,
    (image.height - side) * at('down').value, side, side];
}

function grey(name) {
  const image = pictures[name];
  const rgba = pixels(image, motion.SIDE, ...square(image));
  return Float32Array.from({ length: motion.SIDE ** 2 }, (_, i) =>
    .299 * rgba[4 * i] + .587 * rgba[4 * i + 1] + .114 * rgba[4 * i + 2]);
}

/** Shows a picture with the marks for eyes and mouth. */
function draw(name) {
  const context = at(name).getContext('2d'), image = pictures[name];
  const place = (cells) => motion.CELL * (cells + .5);
  context.clearRect(0, 0, motion.SIDE, motion.SIDE);
  if (image) {
    context.drawImage(image, ...square(image), 0, 0, motion.SIDE, motion.SIDE);
    at(name).ariaLabel = `${name}: a picture, ${image.width} x ${image.height}`;
  }
  for (const [colour, width] of [['#000', 3], ['#fff', 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const eye of motion.EYES.map(place)) {
      context.moveTo(eye - 5, place(motion.EYE_ROW));
      context.lineTo(eye + 5, place(motion.EYE_ROW));
      context.moveTo(eye, place(motion.EYE_ROW) - 5);
      context.lineTo(eye, place(motion.EYE_ROW) + 5);
    }
    context.moveTo(place(9), place(motion.MOUTH_ROW));
    context.lineTo(place(18), place(motion.MOUTH_ROW));
    context.stroke();
  }
}

function ready() {
  at('pair').disabled = !(session && pictures.onset && pictures.apex);
}

function put(name, image) {
  pictures[name] = image;
  draw(name);
  ready();
}

const namePair = told(async () => {
  say('Measuring the motion ...');
  const uv = motion.map(grey('onset'), grey('apex'));
  const share = motion.strength(uv);
  const [found] = await model.ask(session, [motion.stored(uv)]);
  const still = share < about.least_motion;
  answered('two pictures', found, still ? ' (hardly any motion)' : '');
  say(`The face moved by ${(100 * share).toFixed(1)} % of the distance between `
    + `the eyes${still ? ': too little to be named' : ''}.`);
});

const nameMaps = told(async (event) => {
  const files = [...event.target.files];
  if (!files.length) return;
  const maps = await Promise.all(files.map(stored));
  const found = await model.ask(session, maps);
  found.forEach((one, i) => answered(files[i].name, one));
  say(files.length === 1 ? '1 map was named.'
    : `${files.length} maps were named.`);
  event.target.value = ''; // the same files may be chosen again
});

const camera = told(async () => {
  const video = at('video');
  if (video.srcObject) {
    video.srcObject.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  } else {
    video.srcObject = await navigator.mediaDevices.getUserMedia(
      { video: { width: 640, height: 480, facingMode: 'user' } });
    await video.play();
    say('Take the onset with the face at rest, then the apex.');
  }
  const on = Boolean(video.srcObject);
  video.hidden = !on;
  at('camera').textContent = on ? 'Stop the camera' : 'Use the camera';
  for (const name of ['onset', 'apex']) at(`${name}-take`).hidden = !on;
});

for (const name of ['onset', 'apex']) {
  draw(name);
  at(`${name}-file`).addEventListener('change', told(async (event) => {
    const [file] = event.target.files;
    if (file) put(name, await bitmap(file));
  }));
  at(`${name}-take`).addEventListener('click', told(async () => {
    put(name, await createImageBitmap(at('video')));
  }));
}
for (const id of ['across', 'down', 'size']) {
  at(id).addEventListener('input', () => ['onset', 'apex'].forEach(draw));
}
at('pair').addEventListener('click', namePair);
at('maps-file').addEventListener('change', nameMaps);
at('camera').addEventListener('click', camera);
start();
