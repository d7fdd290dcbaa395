// The morph dictionaries of a GLB as three.js has them, as JSON: a list with an entry per mesh.
// usage: node dictionary.mjs NODE_MODULES HEAD.glb
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, glb] = process.argv.slice(2);
globalThis.self = globalThis;  // three.js expects a browser; textures stay undecoded here
console.error = console.warn = () => {};
const { GLTFLoader } = await import(pathToFileURL(path.join(modules, 'three/examples/jsm/loaders/GLTFLoader.js')));
const bytes = fs.readFileSync(glb);
const gltf = await new GLTFLoader().parseAsync(
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), '');
const dictionaries = [];
gltf.scene.traverse(object => { if (object.isMesh) dictionaries.push(object.morphTargetDictionary ?? {}); });
process.stdout.write(JSON.stringify(dictionaries) + '\n');
