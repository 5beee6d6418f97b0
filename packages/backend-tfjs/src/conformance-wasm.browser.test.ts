import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

// The server's root is that of the repository.
setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
await import('./conformance-wasm.test.ts');
