/** Where downloaded weights are kept: a folder in Node (`file-system.ts`), the Cache API in browsers. */
export interface WeightsCache {
  /** Where a file is or would be, for people. */
  place(key: string): string;
  get(key: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** All or nothing: whoever reads meanwhile sees the old file or the new one. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  delete(key: string): Promise<void>;
}

/** What of the Cache API is used; types of the DOM are not at hand here. */
interface CacheApi {
  open(name: string): Promise<{
    match(address: string): Promise<Response | undefined>;
    put(address: string, response: Response): Promise<void>;
    delete(address: string): Promise<boolean>;
  }>;
}

/** Null where there is none, as on pages without https, or where pages may not use it, as in sandboxed frames. */
export async function browserCache(name = 'velojs'): Promise<WeightsCache | null> {
  let cache: Awaited<ReturnType<CacheApi['open']>> | undefined;
  try {
    // Where it is forbidden, looking at it throws.
    cache = await (globalThis as { caches?: CacheApi }).caches?.open(name);
  } catch {}
  if (!cache) return null;
  // The API wants addresses; nothing is ever asked of this host.
  const address = (key: string) => `https://velojs.invalid/${encodeURIComponent(key)}`;
  return {
    place: (key) => `${address(key)} in the cache "${name}" of this origin`,
    async get(key) {
      const response = await cache.match(address(key));
      return response ? new Uint8Array(await response.arrayBuffer()) : null;
    },
    put: (key, bytes) => cache.put(address(key), new Response(bytes)),
    delete: async (key) => void (await cache.delete(address(key))),
  };
}
