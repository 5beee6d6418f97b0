/** Loaded before the command in tests: whatever it asks of the network goes to the server in `VELOJS_TEST_SERVER`. */
const { fetch } = globalThis;
const server = process.env.VELOJS_TEST_SERVER!;

globalThis.fetch = (input, init) => {
  const url = String(input);
  return fetch(url.startsWith(server) ? url : `${server}/${encodeURIComponent(url)}`, init);
};
