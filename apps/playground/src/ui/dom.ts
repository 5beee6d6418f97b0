/** Elements of the page. */

/** The element with this id. The page has it, or nothing would work. */
export function byId<Found extends HTMLElement = HTMLElement>(id: string): Found {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element "${id}".`);
  return found as Found;
}

type Child = Node | string | null | undefined | false;

/** A new element with attributes (`true` sets one without a value, `false` leaves it out) and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number | boolean>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '');
    else if (value !== false) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child): child is Node | string => Boolean(child) || child === ''));
  return made;
}

/** Calls `draw` before the next picture of the page, once however often it is asked for, and not more often than every `interval()` ms. */
export function scheduler(draw: () => void, interval: () => number): () => void {
  let asked = false;
  let last = Number.NEGATIVE_INFINITY;
  const attempt = (now: number) => {
    if (now - last < interval()) {
      requestAnimationFrame(attempt);
      return;
    }
    asked = false;
    last = now;
    draw();
  };
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(attempt);
  };
}

/** Offers a file for saving. */
export function saveFile(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element('a', { href: url, download: name }).click();
  // The browser has to have begun to read it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copies, and says so on the button for a moment. */
export async function copyText(button: HTMLButtonElement, text: string): Promise<void> {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed here';
  }
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
}
