/** A GPU for tests and tools: the browser's own, and in Node one through the package `webgpu`, in software if need be. */
import { VeloError } from '@velojs/core';
import { openDevice } from './device.ts';

/** Chromium brings a driver that does the work of a GPU on the processor; only who names it finds it. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const OPTIONS: GPURequestAdapterOptions = { powerPreference: 'high-performance' };
/** What Dawn offers through OpenGL does not have all that WebGPU asks for by default. */
const COMPATIBLE: GPURequestAdapterOptions = { featureLevel: 'compatibility' };

let opened: Promise<GPU> | undefined;

/**
 * Where to look for an adapter: `webgpu({ gpu: await testingGpu() })`. A real one if there is one; else, in Node, Mesa's
 * through OpenGL, which is several times faster than SwiftShader, the last choice.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where there is no adapter.
 */
export function testingGpu(): Promise<GPU> {
  opened ??= globalThis.navigator?.gpu ? inBrowser(navigator.gpu) : inNode();
  return opened;
}

let device: Promise<GPUDevice> | undefined;

/**
 * One device for all tests of a page or process that do not need one to themselves: its driver compiles every kernel
 * once, which takes SwiftShader seconds.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE`
 */
export function testingDevice(): Promise<GPUDevice> {
  device ??= testingGpu()
    .then((gpu) => openDevice({ gpu }))
    .then((opened) => opened.device);
  return device;
}

async function inBrowser(gpu: GPU): Promise<GPU> {
  if ((await gpu.requestAdapter(OPTIONS)) ?? (await gpu.requestAdapter(COMPATIBLE))) return gpu;
  throw new VeloError('BACKEND_UNAVAILABLE', 'This browser has WebGPU and no adapter for it.');
}

async function inNode(): Promise<GPU> {
  // Native code sees these only if they are set where Node itself runs, not in a worker.
  process.env.VK_ADD_DRIVER_FILES ??= SWIFTSHADER;
  process.env.EGL_PLATFORM ??= 'surfaceless';
  const native = create(await load(), []);
  const adapter = await native.requestAdapter(OPTIONS);
  if (adapter && !adapter.info.isFallbackAdapter) return native;
  const throughOpenGL = create(await load(), ['backend=opengl']);
  if (await throughOpenGL.requestAdapter(COMPATIBLE)) return throughOpenGL;
  if (adapter) return native;
  throw new VeloError(
    'BACKEND_UNAVAILABLE',
    `There is no GPU, and nothing that does its work: on Debian, install libvulkan1 and chromium (for ${SWIFTSHADER}), or libegl1, libegl-dev and libgl1-mesa-dri.`,
  );
}

type Dawn = typeof import('webgpu');

async function load(): Promise<Dawn> {
  // Not by name: bundlers would look into it for the browser.
  const name = 'webgpu';
  try {
    return (await import(/* @vite-ignore */ name)) as Dawn;
  } catch (error) {
    throw new VeloError('BACKEND_UNAVAILABLE', `The package "webgpu" cannot be loaded: ${(error as Error).message}`);
  }
}

/** Kept reachable for as long as the process runs: Dawn's devices do not survive the object that they came from. */
const kept: GPU[] = [];
(globalThis as { velojsTestingGpus?: GPU[] }).velojsTestingGpus = kept;

function create(dawn: Dawn, options: string[]): GPU {
  const gpu = dawn.create(options);
  kept.push(gpu);
  return gpu;
}
