import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from './heap.ts';

const newHeap = (base = 0, options = { initial: 1 }) => new Heap(new WebAssembly.Memory(options), base);

describe('Heap', () => {
  it('hands out blocks that do not overlap, aligned and inside the memory, whatever is released in between', () => {
    const action = fc.record({ bytes: fc.integer({ min: 0, max: 50_000 }), release: fc.nat() });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 0, max: 1000 }), (actions, base) => {
        const heap = newHeap(base);
        let blocks: { address: number; bytes: number }[] = [];
        for (const { bytes, release } of actions) {
          const address = heap.allocate(bytes);
          expect(address % 64).toBe(0);
          expect(address).toBeGreaterThanOrEqual(Math.max(base, 1));
          // With the room that kernels may read beyond the end.
          expect(address + bytes + 64).toBeLessThanOrEqual(heap.memory.buffer.byteLength);
          for (const other of blocks) {
            expect(address + bytes <= other.address || other.address + other.bytes <= address).toBe(true);
          }
          blocks.push({ address, bytes });
          if (release % 2 === 0) {
            const gone = blocks[release % blocks.length]!;
            heap.release(gone.address, gone.bytes);
            blocks = blocks.filter((block) => block !== gone);
          }
        }
        for (const { address, bytes } of blocks) heap.release(address, bytes);
        expect(heap.bytesInUse).toBe(0);
      }),
      { seed: 20221117 },
    );
  });

  it('uses again what was released, so that memory does not grow', () => {
    const heap = newHeap();
    const sizes = [100, 5000, 64, 30_000];
    const once = () => {
      const blocks = sizes.map((bytes) => ({ bytes, address: heap.allocate(bytes) }));
      blocks.sort((a, b) => Math.sin(a.address) - Math.sin(b.address));
      for (const { address, bytes } of blocks) heap.release(address, bytes);
    };
    once();
    const size = heap.memory.buffer.byteLength;
    for (let i = 0; i < 1000; i++) once();
    expect(heap.memory.buffer.byteLength).toBe(size);
  });

  it('says so when there is no memory left, and goes on with what there is', () => {
    const heap = newHeap(0, { initial: 1, maximum: 2 } as { initial: number });
    expect(() => heap.allocate(200_000)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
    expect(heap.allocate(100_000)).toBeGreaterThan(0);
  });

  it('refuses to release what it did not hand out', () => {
    const heap = newHeap();
    const [first, second, third] = [10, 500, 10].map((bytes) => heap.allocate(bytes)) as [number, number, number];
    heap.release(second, 500);
    // Twice, beside a free block with too many bytes, and where nothing was ever handed out.
    expect(() => heap.release(second, 500)).toThrow('no block');
    expect(() => heap.release(first, 100)).toThrow('no block');
    heap.release(third, 10);
    expect(() => heap.release(third, 10)).toThrow('no block');
    expect(heap.bytesInUse).toBe(128);
    heap.release(first, 10);
    expect(heap.bytesInUse).toBe(0);
  });
});
