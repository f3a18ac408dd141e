import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { fit, type LiteConstants } from './fit.js';
import { liteImage } from './lite-image.js';
import { liteSound } from './lite-sound.js';
import { liteText } from './lite-text.js';
import { manifests } from './manifests.js';

/**
 * `node dist/models/build/lite.js` writes models/lite-*.onnx and their manifests from models/build/lite-constants.json, the same bytes on every machine.
 * `--fit` draws and synthesises first and writes the constants anew; `--check` refits and compares, writing nothing.
 */
export function projectRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

export function readConstants(root = projectRoot()): LiteConstants {
  return JSON.parse(readFileSync(path.join(root, 'models/build/lite-constants.json'), 'utf8')) as LiteConstants;
}

/** Every generated file by its path under models/. */
export function buildLite(constants: LiteConstants): Map<string, Uint8Array> {
  const models = new Map<string, Uint8Array>([
    ['lite-image.onnx', liteImage(Float32Array.from(constants.image.mean))],
    ['lite-sound.onnx', liteSound({ mean: Float32Array.from(constants.sound.mean), deviation: Float32Array.from(constants.sound.deviation) })],
    ['lite-text.onnx', liteText()],
  ]);
  const files = [...models].map(([name, bytes]) => ({ path: name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }));
  const out = new Map(models);
  for (const [name, yaml] of manifests(files, constants)) out.set(name, Buffer.from(yaml));
  return out;
}

async function main(flags: readonly string[]): Promise<void> {
  const root = projectRoot();
  const file = path.join(root, 'models/build/lite-constants.json');
  if (flags.includes('--fit') || flags.includes('--check')) {
    const text = `${JSON.stringify(await fit(), null, 1).replace(/\n {3}(?=-?\d)/g, ' ').replace(/\n {2}\]/g, ' ]')}\n`;
    if (flags.includes('--check')) {
      const same = text === readFileSync(file, 'utf8');
      console.log(same ? 'the constants are what the drawings and sounds give' : 'the constants DIFFER from what the drawings and sounds give');
      process.exitCode = same ? 0 : 1;
      return;
    }
    writeFileSync(file, text);
  }
  for (const [name, bytes] of buildLite(readConstants(root))) {
    writeFileSync(path.join(root, 'models', name), bytes);
    console.log(`models/${name}: ${bytes.length} bytes`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
