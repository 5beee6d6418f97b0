/** Stands in for `file-system.ts` in bundles for browsers, where nothing asks for it. */
export {};
