/**
 * Runs what the documents tell people to run: every `sh` block of the READMEs and of docs/ (`sh no-ci` marks one that
 * only makes sense elsewhere), and every `ts run` block, type-checked first. TypeScript blocks see the built packages,
 * as users do. Relative links must lead to files; in READMEs of packages, which are read elsewhere, there may be none.
 *
 *     node --import tsx tools/readme-commands.ts [--ran COMMAND]...
 *
 * `--ran` names a command that the caller has run itself: a block of nothing else is not run again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageFolders, root } from './workspace.ts';

const { values } = parseArgs({ options: { ran: { type: 'string', multiple: true, default: [] } } });
const minutes = 10;

interface Block {
  where: string;
  info: string;
  code: string;
}

const read = (document: string): string => readFileSync(join(root, document), 'utf8');
const fences = /^([ \t]*)```([^\n`]*)\n([\s\S]*?)^\1```[ \t]*$/gm;

function blocksOf(document: string): Block[] {
  const text = read(document);
  return [...text.matchAll(fences)].map(([, indent = '', info = '', code = ''], i, all) => ({
    where: `${document}:${text.slice(0, all[i]!.index).split('\n').length}`,
    info: info.trim(),
    code: code.replace(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...packageFolders.map((folder) => `${folder}/README.md`),
  ...(existsSync(join(root, 'docs')) ? readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }) : [])
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
].filter((document) => existsSync(join(root, document)));

/** Relative links that lead nowhere, of the form `[text](target)` or `[name]: target`, outside code. */
function deadLinks(document: string): string[] {
  const prose = read(document)
    .replace(fences, '')
    .replace(/`[^`\n]*`/g, 'code');
  const targets = [...prose.matchAll(/\]\(\s*([^\s)]+)|^ *\[[^\]]+\]:\s*(\S+)/gm)].map(([, a, b]) => (a ?? b)!);
  return targets
    .filter((target) => !/^(?:[a-z]+:|#)/i.test(target))
    .filter((target) => {
      const path = join(root, dirname(document), decodeURI(target.replace(/[?#].*/, '')));
      return document.startsWith('packages/') || !existsSync(path);
    })
    .map((target) => `${document}: dead link ${target}`);
}

const commandsOf = (code: string): string[] =>
  code
    .split('\n')
    .map((line) => line.replace(/\s+#.*|^#.*/, '').trim())
    .filter((line) => line !== '');

/** Runs without a terminal and without input. */
function run(command: string, ...args: string[]): boolean {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, CI: 'true' },
    timeout: minutes * 60_000,
  });
  if (signal || error) console.log(`ended by ${signal ?? error?.message} (the limit is ${minutes} minutes)`);
  return status === 0;
}

const scratch = join(root, '.readme');
function runTypeScript(code: string): boolean {
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, 'block.ts'), code);
  writeFileSync(
    join(scratch, 'tsconfig.json'),
    JSON.stringify({
      extends: '../tsconfig.base.json',
      compilerOptions: { customConditions: [], isolatedDeclarations: false, declaration: false, types: ['node'] },
      files: ['block.ts'],
    }),
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  return (
    run(process.execPath, tsc, '--project', scratch) &&
    run(process.execPath, '--import', 'tsx', join(scratch, 'block.ts'))
  );
}

const failed: string[] = documents.flatMap(deadLinks);
for (const link of failed) console.log(`FAILED ${link}`);
let ran = 0;
for (const { where, info, code } of documents.flatMap(blocksOf)) {
  const [language, ...words] = info.split(/\s+/);
  const isShell = language === 'sh';
  if (!isShell && !(language === 'ts' && words.includes('run'))) continue;
  const commands = commandsOf(code);
  if (words.includes('no-ci')) {
    console.log(`\n--- ${where}: marked no-ci, not run: ${commands.join(' ; ')}`);
    continue;
  }
  if (isShell && commands.every((command) => values.ran.includes(command))) {
    console.log(`\n--- ${where}: has run before: ${commands.join(' ; ')}`);
    continue;
  }
  console.log(`\n--- ${where}${isShell ? `: ${commands.join(' ; ')}` : ' (TypeScript)'}`);
  ran++;
  if (!(isShell ? run('bash', '-euo', 'pipefail', '-c', code) : runTypeScript(code))) {
    console.log(`FAILED ${where}`);
    failed.push(where);
  }
}
rmSync(scratch, { recursive: true, force: true });
console.log(
  `\n${documents.length} documents, ${ran} blocks run, ${failed.length} failed${failed.map((f) => `\n  ${f}`)}`,
);
process.exitCode = failed.length > 0 || ran === 0 ? 1 : 0;
