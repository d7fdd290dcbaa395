// Pictures of a GLB by three.js in headless Chromium, with WebGL in software.
// usage: node screenshot.mjs NODE_MODULES HEAD.glb FOLDER [--size PX] [--yaw DEGREES] [NAME=WEIGHT…]
// Writes FOLDER/neutral.png, FOLDER/posed.png (with the weights) and FOLDER/report.json (the morph dictionary of each
// mesh as three.js has it). Exit code 3: there is no Chromium.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const kFolder = path.dirname(fileURLToPath(import.meta.url));
const kTimeout_ms = 120000;
const kTypes = { '.html': 'text/html', '.js': 'text/javascript', '.glb': 'model/gltf-binary' };

const [modules, glb, folder, ...rest] = process.argv.slice(2);
const request = { size: 768, yaw: 0, pictures: { neutral: {}, posed: {} } };
for (let i = 0; i < rest.length; ++i) {
  if (rest[i] === '--size' || rest[i] === '--yaw') {
    request[rest[i].slice(2)] = Number(rest[++i]);
  } else {
    const [name, weight] = rest[i].split('=');
    request.pictures.posed[name] = Number(weight);
  }
}
const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  name => spawnSync(name, ['--version']).status === 0);
if (!chromium) {
  console.error('screenshot: there is no chromium');
  process.exit(3);
}
fs.mkdirSync(folder, { recursive: true });

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'facet-chromium-'));
let browser;
function finish(code, message) {
  if (message) console.error('screenshot: ' + message);
  browser?.on('exit', () => {
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  });
  if (!browser) process.exit(code);
  browser.kill('SIGKILL');
}

const server = http.createServer((incoming, response) => {
  const url = new URL(incoming.url, 'http://localhost').pathname;
  const send = (file, type) => {
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': type ?? kTypes[path.extname(file)] ?? 'application/octet-stream' });
    fs.createReadStream(file).pipe(response);
  };
  if (incoming.method === 'GET') {
    if (url === '/') return send(path.join(kFolder, 'head.html'));
    if (url === '/head.glb') return send(glb);
    if (url === '/request') return response.end(JSON.stringify(request));
    if (url.startsWith('/modules/')) return send(path.join(modules, path.normalize(url.slice('/modules'.length))));
    return response.writeHead(404).end();
  }
  const parts = [];
  incoming.on('data', part => parts.push(part));
  incoming.on('end', () => {
    const body = Buffer.concat(parts);
    response.end();
    if (url.startsWith('/picture/')) fs.writeFileSync(path.join(folder, path.basename(url) + '.png'), body);
    if (url === '/report') {
      fs.writeFileSync(path.join(folder, 'report.json'), body);
      finish(0);
    }
    if (url === '/failure') finish(1, body.toString());
  });
});
server.listen(0, '127.0.0.1', () => {
  browser = spawn(chromium, ['--headless=new', '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader', '--no-first-run', '--disable-extensions', '--disable-background-networking',
    '--disable-dev-shm-usage', '--user-data-dir=' + profile, `http://127.0.0.1:${server.address().port}/`],
    { stdio: 'ignore' });
  browser.on('error', error => finish(1, String(error)));
  setTimeout(() => finish(1, 'the page did not answer within ' + kTimeout_ms / 1000 + ' s'), kTimeout_ms);
});
