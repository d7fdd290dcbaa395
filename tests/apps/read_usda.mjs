// What tinyusdz (npm) makes of a USD file, as JSON: node read_usda.mjs FOLDER_OF_TINYUSDZ FILE
// Its WebAssembly build refuses to run outside of a browser, so it is made to believe that this is one.
import fs from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, file] = process.argv.slice(2);
const wasmBinary = fs.readFileSync(path.join(folder, 'tinyusdz.wasm'));
const bytes = new Uint8Array(fs.readFileSync(file));
const versions = process.versions;
Object.defineProperty(process, 'versions', {value: {}, configurable: true});
globalThis.window = globalThis;
globalThis.document = {currentScript: null};
const {default: initialise} = await import(pathToFileURL(path.join(folder, 'tinyusdz.js')));
const messages = [];
const note = (text) => messages.push(text);
const native = await initialise({wasmBinary, print: note, printErr: note});
Object.defineProperty(process, 'versions', {value: versions});

const scene = new native.TinyUSDZLoaderNative();
const loaded = scene.loadFromBinary(bytes, path.basename(file));
const report = {loaded, error: scene.error(), messages, meshes: []};
for (let i = 0; loaded && i < scene.numMeshes(); ++i) {
  const mesh = scene.getMesh(i);
  report.meshes.push({
    name: mesh.primName,
    triangles: mesh.faceVertexCounts.length,
    points: Array.from(mesh.points),
    texcoords: mesh.texcoords ? mesh.texcoords.length / 2 : 0,
    material: mesh.materialId,
  });
}
// The layer as the parser understood it, written out again.
const layer = new native.TinyUSDZLoaderNative();
if (layer.loadAsLayerFromBinary(bytes, path.basename(file))) report.layer = layer.layerToString();
console.log(JSON.stringify(report));
