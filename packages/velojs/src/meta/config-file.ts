/** A configuration from its file, with the modules that it names where they are. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { usage } from '../weights/download.ts';
import type { Meta, MetaConfig } from './load-meta.ts';

/** @throws VeloError `INVALID_ARGUMENT` where the file cannot be read, or what it says cannot be used. */
export function readConfig({ parseConfig }: Meta, file: string): MetaConfig {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw usage(`${file} cannot be read as JSON: ${(cause as Error).message}.`, cause);
  }
  const config = parseConfig(document);
  const modules = config.tasks.modules.map((module) =>
    module.startsWith('.') || isAbsolute(module) ? pathToFileURL(resolve(dirname(file), module)).href : module,
  );
  return { ...config, tasks: { ...config.tasks, modules } };
}
