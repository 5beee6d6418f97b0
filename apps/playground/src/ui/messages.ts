/** What went wrong, or needs to be known: read aloud, there until it is put away. */
import { element } from './dom.ts';

export interface Messages {
  /** @returns what takes it away again. */
  add(text: string, options?: { kind?: 'fault' | 'note'; action?: { label: string; run: () => void } }): () => void;
  clear(): void;
}

export function createMessages(place: HTMLElement): Messages {
  return {
    add(text, { kind = 'fault', action } = {}) {
      const message = element(
        'div',
        { class: `message ${kind}`, role: kind === 'fault' ? 'alert' : 'status' },
        element('p', {}, text),
      );
      if (action) {
        const button = element('button', { type: 'button' }, action.label);
        button.addEventListener('click', () => {
          message.remove();
          action.run();
        });
        message.append(button);
      }
      const close = element('button', { type: 'button', class: 'quiet', 'aria-label': 'Dismiss' }, '×');
      close.addEventListener('click', () => message.remove());
      message.append(close);
      place.append(message);
      return () => message.remove();
    },
    clear: () => place.replaceChildren(),
  };
}
