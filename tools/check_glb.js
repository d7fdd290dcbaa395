#!/usr/bin/env node
// Heads in GLB files judged: by the Khronos validator, and by what it does not look at.
// usage: tools/check_glb.js [--json] FILE.glb…
//   Own rules: as many target names as targets, each once, the same on every primitive; no value that is not finite;
//   both sides of a seam move alike and have one normal; a mouth or jaw shape leaves the top of the head alone, an eye or
//   brow shape the lower face; what is called …Left moves the head's left half (+X), …Right mirrors it; no image is
//   both colour and data; the head has the size of one in metres.
// Exit code 1 when a file has an error or a warning or breaks a rule. The validator is the npm package gltf-validator,
// from build/node (scripts/test puts it there) or from where node finds it; without it that is said and exit code 3.
'use strict';
const fs = require('fs');
const path = require('path');

const arguments_ = process.argv.slice(2);
const asJson = arguments_[0] === '--json';
const files = asJson ? arguments_.slice(1) : arguments_;
if (files.length === 0) {
  console.error('usage: tools/check_glb.js [--json] FILE.glb…');
  process.exit(2);
}
let validator;
try {
  validator = require(require.resolve('gltf-validator', {
    paths: [path.join(__dirname, '../build/node'), process.cwd()] }));
} catch {
  console.error('check_glb: gltf-validator is not installed: npm install --prefix build/node gltf-validator');
  process.exit(3);
}

const kMinHeight_m = 0.1, kMaxHeight_m = 0.6;
// Share of a shape's largest movement that may reach where it has nothing to do. Measured shapes stray: ICT-FaceKit's
// jawLeft moves its scalp by 1.3 %. jawOpen does not.
const kMaxStray = 0.1, kMaxStrayOfJawOpen = 0.01;
// Where that is, in distances from the mouth to the eyes: so far above the eyes, and so far below the mouth.
const kAboveEyes = 1, kBelowMouth = 0.5;
// Share of a …Left shape's movement that must lie on the left; half of a lip or the nose may go with it.
const kMinOnSide = 0.6;
// Mirrored shapes move mirrored vertices by the same amount, as a whole.
const kMaxMirrorDifference = 0.1;

const kReaders = {
  5120: [1, 'readInt8'], 5121: [1, 'readUInt8'], 5122: [2, 'readInt16LE'], 5123: [2, 'readUInt16LE'],
  5125: [4, 'readUInt32LE'], 5126: [4, 'readFloatLE'] };
const kColumns = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const kLargest = { 5120: 127, 5121: 255, 5122: 32767, 5123: 65535 };

class Glb {
  constructor(bytes) {
    const jsonSize = bytes.readUInt32LE(12);
    this.json = JSON.parse(bytes.toString('utf8', 20, 20 + jsonSize));
    this.binary = bytes.subarray(20 + jsonSize + 8);
    this.known = new Map();
  }

  view(place) {
    const view = this.json.bufferViews[place.bufferView];
    return [(view.byteOffset ?? 0) + (place.byteOffset ?? 0), view.byteStride];
  }

  // Numbers of an accessor, row by row.
  values(index) {
    if (this.known.has(index)) return this.known.get(index);
    const accessor = this.json.accessors[index];
    const columns = kColumns[accessor.type];
    const [size, read] = kReaders[accessor.componentType];
    const scale = accessor.normalized ? 1 / kLargest[accessor.componentType] : 1;
    const result = new Float64Array(accessor.count * columns);
    const copyRow = (row, from) => {
      for (let c = 0; c < columns; ++c) {
        const value = this.binary[read](from + c * size) * scale;
        result[row * columns + c] = accessor.normalized ? Math.max(value, -1) : value;
      }
    };
    if (accessor.bufferView !== undefined) {
      const [start, stride] = this.view(accessor);
      for (let i = 0; i < accessor.count; ++i) copyRow(i, start + i * (stride ?? columns * size));
    }
    if (accessor.sparse) {
      const { count, indices, values } = accessor.sparse;
      const [indexStart] = this.view(indices), [valueStart] = this.view(values);
      const [indexSize, readIndex] = kReaders[indices.componentType];
      for (let i = 0; i < count; ++i) {
        copyRow(this.binary[readIndex](indexStart + i * indexSize), valueStart + i * columns * size);
      }
    }
    this.known.set(index, result);
    return result;
  }

  // 16 numbers, column by column: the place of a node in the scene.
  worldFromNode(index) {
    const parents = new Map();
    this.json.nodes.forEach((node, n) => (node.children ?? []).forEach(child => parents.set(child, n)));
    let world = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    for (let n = index; n !== undefined; n = parents.get(n)) world = product(local(this.json.nodes[n]), world);
    return world;
  }
}

function local(node) {
  if (node.matrix) return node.matrix;
  const [tx, ty, tz] = node.translation ?? [0, 0, 0], [x, y, z, w] = node.rotation ?? [0, 0, 0, 1];
  const [sx, sy, sz] = node.scale ?? [1, 1, 1];
  return [
    sx * (1 - 2 * (y * y + z * z)), sx * 2 * (x * y + z * w), sx * 2 * (x * z - y * w), 0,
    sy * 2 * (x * y - z * w), sy * (1 - 2 * (x * x + z * z)), sy * 2 * (y * z + x * w), 0,
    sz * 2 * (x * z + y * w), sz * 2 * (y * z - x * w), sz * (1 - 2 * (x * x + y * y)), 0, tx, ty, tz, 1];
}

function product(a, b) {
  return Array.from({ length: 16 }, (_, i) => {
    const row = i % 4, column = i - row;
    return a[row] * b[column] + a[row + 4] * b[column + 1] + a[row + 8] * b[column + 2] + a[row + 12] * b[column + 3];
  });
}

// Rows of three turned and scaled; moved as well when they are points.
function transformed(values, matrix, arePoints) {
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i += 3) {
    for (let c = 0; c < 3; ++c) {
      result[i + c] = matrix[c] * values[i] + matrix[c + 4] * values[i + 1] + matrix[c + 8] * values[i + 2] +
        (arePoints ? matrix[c + 12] : 0);
    }
  }
  return result;
}

function checkNames(mesh, findings) {
  const of = holder => holder.extras?.targetNames;
  for (const primitive of mesh.primitives) {
    const count = primitive.targets?.length ?? 0;
    if (count === 0) continue;
    const names = of(mesh);
    if (!names) return findings.push(`mesh ${mesh.name}: no targetNames for ${count} targets`);
    if (names.length !== count) findings.push(`mesh ${mesh.name}: ${names.length} targetNames for ${count} targets`);
    if (of(primitive) && JSON.stringify(of(primitive)) !== JSON.stringify(names)) {
      findings.push(`mesh ${mesh.name}: targetNames of the mesh and of a primitive differ`);
    }
  }
  const names = of(mesh) ?? [];
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) findings.push(`mesh ${mesh.name}: target names that occur twice: ${twice.join(' ')}`);
}

function checkFinite(glb, findings) {
  (glb.json.accessors ?? []).forEach((accessor, index) => {
    if (!glb.values(index).every(Number.isFinite)) findings.push(`accessor ${index}: a value that is not finite`);
  });
}

// Colour and data in one image: Blender turns all of it into data.
function checkImages(glb, findings) {
  const uses = new Map();
  const use = (info, kind) => {
    if (!info) return;
    const image = glb.json.textures[info.index].source;
    if (!uses.has(image)) uses.set(image, new Set());
    uses.get(image).add(kind);
  };
  for (const material of glb.json.materials ?? []) {
    const surface = material.pbrMetallicRoughness ?? {};
    use(surface.baseColorTexture, 'colour');
    use(material.emissiveTexture, 'colour');
    use(surface.metallicRoughnessTexture, 'data');
    use(material.occlusionTexture, 'data');
    use(material.normalTexture, 'data');
  }
  for (const [image, kinds] of uses) {
    if (kinds.size > 1) findings.push(`image ${image}: used as colour and as data`);
  }
}

// Vertices at one place that move alike are one vertex, split by texture coordinates: they have one normal. Those
// that share place and normal move alike.
function checkSeams(attributes, targets, glb, mesh, findings) {
  const position = glb.values(attributes.POSITION);
  const normal = attributes.NORMAL !== undefined ? glb.values(attributes.NORMAL) : position;
  const moves = targets.map(target => target.POSITION !== undefined ? glb.values(target.POSITION) : null)
    .filter(values => values);
  const same = (values, a, b) => [0, 1, 2].every(c => values[3 * a + c] === values[3 * b + c]);
  const atPlace = new Map();
  let torn = 0, bent = 0;
  for (let v = 0; v < position.length / 3; ++v) {
    const key = `${position[3 * v]} ${position[3 * v + 1]} ${position[3 * v + 2]}`;
    const others = atPlace.get(key);
    if (!others) {
      atPlace.set(key, [v]);
      continue;
    }
    for (const other of others) {
      const moveAlike = moves.every(values => same(values, v, other));
      const moved = moves.some(values => [0, 1, 2].some(c => values[3 * v + c] !== 0));
      if (same(normal, v, other) && !moveAlike) ++torn;
      if (moved && moveAlike && !same(normal, v, other)) ++bent;
    }
    others.push(v);
  }
  if (torn > 0) findings.push(`mesh ${mesh.name}: ${torn} pairs of vertices on a seam move apart`);
  if (bent > 0) findings.push(`mesh ${mesh.name}: ${bent} pairs of vertices on a seam have two normals`);
}

// Where the shapes that have ARKit's names move the head.
function checkShapes(position, shapes, findings) {
  let low = Infinity, high = -Infinity;
  for (let i = 1; i < position.length; i += 3) {
    low = Math.min(low, position[i]);
    high = Math.max(high, position[i]);
  }
  const height = high - low;
  if (!(height > kMinHeight_m && height < kMaxHeight_m)) {
    findings.push(`the head is ${height.toFixed(3)} m high; expected ${kMinHeight_m} to ${kMaxHeight_m}`);
  }
  // Mean height of what shapes move.
  const heightOf = pattern => {
    let sum = 0, weight = 0;
    for (const [name, delta] of shapes) {
      for (let i = 0; pattern.test(name) && i < delta.length; i += 3) {
        const length = Math.hypot(delta[i], delta[i + 1], delta[i + 2]);
        sum += length * position[i + 1];
        weight += length;
      }
    }
    return sum / weight;  // NaN without such a shape: nothing lies above or below it
  };
  const eyes = heightOf(/^eyeBlink/), mouth = heightOf(/^mouthSmile/);
  const topStart = eyes + kAboveEyes * (eyes - mouth), lowEnd = mouth - kBelowMouth * (eyes - mouth);
  const moved = new Map();  // name -> total movement on the left and on the right
  for (const [name, delta] of shapes) {
    let largest = 0, top = 0, bottom = 0, left = 0, right = 0;
    for (let i = 0; i < delta.length; i += 3) {
      const length = Math.hypot(delta[i], delta[i + 1], delta[i + 2]);
      if (length === 0) continue;
      largest = Math.max(largest, length);
      if (position[i + 1] > topStart) top = Math.max(top, length);
      if (position[i + 1] < lowEnd) bottom = Math.max(bottom, length);
      if (position[i] > 0) left += length;
      if (position[i] < 0) right += length;
    }
    if (largest === 0) continue;
    moved.set(name, { left, right });
    const maxAtTop = (name === 'jawOpen' ? kMaxStrayOfJawOpen : kMaxStray) * largest;
    if (/^(mouth|jaw|tongue)/.test(name) && top > maxAtTop) {
      findings.push(`${name} moves the top of the head by ${(1000 * top).toFixed(2)} mm of ${(1000 * largest).toFixed(1)}`);
    }
    if (/^(eye|brow)/.test(name) && bottom > kMaxStray * largest) {
      findings.push(`${name} moves the lower face by ${(1000 * bottom).toFixed(2)} mm of ${(1000 * largest).toFixed(1)}`);
    }
  }
  for (const [name, { left, right }] of moved) {
    const side = /^(?:eye|brow|cheek|nose|mouth)[A-Z].*(Left|Right|_L|_R)$/.exec(name)?.[1];
    if (!side) continue;
    const isLeft = side === 'Left' || side === '_L';
    const share = (isLeft ? left : right) / (left + right);
    if (share < kMinOnSide) findings.push(`${name} moves the wrong side: ${(100 * share).toFixed(0)} % on its own`);
    const mirrored = moved.get(name.replace(/Left$/, 'Right').replace(/_L$/, '_R'));
    if (isLeft && mirrored) {
      const difference = Math.abs(left - mirrored.right) / Math.max(left, mirrored.right);
      if (difference > kMaxMirrorDifference) {
        findings.push(`${name} and its mirror image move by ${(100 * difference).toFixed(0)} % different amounts`);
      }
    }
  }
}

function ownFindings(bytes) {
  const glb = new Glb(bytes), findings = [];
  checkFinite(glb, findings);
  checkImages(glb, findings);
  const positions = [], shapes = new Map();  // of the whole head
  (glb.json.nodes ?? []).forEach((node, n) => {
    if (node.mesh === undefined) return;
    const mesh = glb.json.meshes[node.mesh];
    checkNames(mesh, findings);
    const world = node.skin !== undefined ? local({}) : glb.worldFromNode(n);
    const seen = new Set();  // primitives may share their vertices
    for (const primitive of mesh.primitives) {
      const { attributes, targets = [] } = primitive;
      if (seen.has(attributes.POSITION)) continue;
      seen.add(attributes.POSITION);
      checkSeams(attributes, targets, glb, mesh, findings);
      const start = positions.length;
      for (const value of transformed(glb.values(attributes.POSITION), world, true)) positions.push(value);
      targets.forEach((target, t) => {
        const name = mesh.extras?.targetNames?.[t] ?? String(t);
        if (!shapes.has(name)) shapes.set(name, []);
        if (target.POSITION !== undefined) shapes.get(name).push([start, transformed(glb.values(target.POSITION), world)]);
      });
    }
  });
  const whole = [...shapes].map(([name, parts]) => {
    const delta = new Float64Array(positions.length);
    for (const [start, values] of parts) delta.set(values, start);
    return [name, delta];
  });
  checkShapes(positions, whole, findings);
  return findings;
}

(async () => {
  const reports = [];
  let bad = 0;
  for (const file of files) {
    if (!fs.existsSync(file)) {
      console.error(`check_glb: ${file}: no such file`);
      process.exit(2);
    }
    const bytes = fs.readFileSync(file);
    const validation = await validator.validateBytes(new Uint8Array(bytes), { uri: path.basename(file), maxIssues: 50 });
    const { numErrors, numWarnings } = validation.issues;
    let findings;
    try {
      findings = numErrors === 0 ? ownFindings(bytes) : ['not looked at: the validator found errors'];
    } catch (error) {
      findings = ['cannot be looked at: ' + error.message];
    }
    if (numErrors + numWarnings + findings.length > 0) ++bad;
    reports.push({ file, validator: validation, findings });
    if (asJson) continue;
    console.log(`${file}: ${numErrors} errors, ${numWarnings} warnings, ${findings.length} findings`);
    for (const message of validation.issues.messages) {
      if (message.severity < 2) console.log(`  ${message.code} ${message.pointer}: ${message.message}`);
    }
    for (const finding of findings) console.log('  ' + finding);
  }
  if (asJson) process.stdout.write(JSON.stringify(reports) + '\n');
  else console.log(`${files.length} files, ${bad} with faults`);
  process.exitCode = bad > 0 ? 1 : 0;
})();
