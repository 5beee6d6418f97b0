/** Whether bytes are the expected ones. */
/** What a file must be, as far as it is known. */
export interface Expected {
  readonly bytes?: number;
  readonly sha256?: string;
  readonly gitBlob?: string;
}

/** By what a file was found to be the expected one. */
export type Verification = 'sha256' | 'git-blob';

export type Verdict =
  | { readonly verified: Verification; readonly complaint: null }
  | { readonly verified: null; readonly complaint: string };

export const hasHash = ({ sha256, gitBlob }: Expected): boolean => sha256 !== undefined || gitBlob !== undefined;

/** Browsers have it on https and localhost only. */
export const canHash = (): boolean => globalThis.crypto?.subtle !== undefined;
export const NO_HASHES = 'there is no crypto.subtle to check it with: serve the page over https or from localhost';

/** Compares with every hash that is known: all must agree. The complaint says so, too, if nothing can be compared. */
export async function verify(bytes: Uint8Array<ArrayBuffer>, expected: Expected): Promise<Verdict> {
  if (expected.bytes !== undefined && bytes.length !== expected.bytes) {
    return complain(`it has ${bytes.length} bytes instead of ${expected.bytes}`);
  }
  if (hasHash(expected) && !canHash()) return complain(NO_HASHES);
  if (expected.gitBlob !== undefined) {
    const found = await gitBlobOf(bytes);
    if (found !== expected.gitBlob.toLowerCase()) {
      return complain(
        `its git blob id is ${found} instead of ${expected.gitBlob}, which was read from the tree of a repository that carries the file`,
      );
    }
  }
  if (expected.sha256 !== undefined) {
    const found = await digest('SHA-256', bytes);
    if (found !== expected.sha256.toLowerCase()) {
      return complain(`its SHA-256 is ${found} instead of ${expected.sha256}`);
    }
    return { verified: 'sha256', complaint: null };
  }
  return expected.gitBlob === undefined
    ? complain('no hash is known to check it with')
    : { verified: 'git-blob', complaint: null };
}

const complain = (complaint: string): Verdict => ({ verified: null, complaint });

function gitBlobOf(bytes: Uint8Array): Promise<string> {
  const head = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const blob = new Uint8Array(head.length + bytes.length);
  blob.set(head);
  blob.set(bytes, head.length);
  return digest('SHA-1', blob);
}

/** In hexadecimal digits; only where `canHash`. */
export async function digest(algorithm: 'SHA-1' | 'SHA-256', bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest(algorithm, bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
