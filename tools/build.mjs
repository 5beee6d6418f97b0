// `turbo run build` without its noise, for the commands whose output matters: silent when it works, everything it said when it does not.
// Plain JavaScript, because `npm start` waits for it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const turbo = fileURLToPath(new URL('../node_modules/turbo/bin/turbo', import.meta.url));
const { status, stdout, stderr, error } = spawnSync(process.execPath, [turbo, 'run', 'build', '--log-prefix=none'], {
  cwd: root,
  encoding: 'utf8',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  stdio: ['ignore', 'pipe', 'pipe'],
});
if (status !== 0) {
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}`);
  process.exit(status ?? 1);
}
