// The exported model, on onnxruntime-web; no DOM.

import * as ort from './ort.wasm.bundle.min.mjs';

export const SHAPE = [1, 28, 28, 3]; // of a motion map

/** Opens a model; `bytes` of the runtime where it cannot be fetched. */
export async function opened(model, bytes) {
  ort.env.wasm.numThreads = 1; // more would need headers of the server
  if (bytes) ort.env.wasm.wasmBinary = bytes;
  else {
    ort.env.wasm.wasmPaths = {
      wasm: new URL('ort-wasm-simd-threaded.wasm', import.meta.url).href,
    };
  }
  return ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
}

/** Probabilities of the classes, one array for each of the stored maps. */
export async function ask(session, maps) {
  const size = maps[0].length, whole = new Uint8Array(maps.length * size);
  maps.forEach((one, i) => whole.set(one, i * size));
  const input = new ort.Tensor('uint8', whole, [maps.length, ...SHAPE]);
  const found = await session.run({ face: input });
  const { data, dims } = found.probabilities;
  return maps.map((_, i) => [...data.slice(i * dims[1], (i + 1) * dims[1])]);
}
