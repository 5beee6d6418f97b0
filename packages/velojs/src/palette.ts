/** Colours where the terminal wants them. */
import pc from 'picocolors';

export type Palette = ReturnType<typeof pc.createColors>;

/** Colours only on a terminal, and none where NO_COLOR is set (no-color.org) or the terminal is dumb. */
export function paletteFor(
  stream: { isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Palette {
  const { NO_COLOR, TERM } = environment;
  return pc.createColors(stream.isTTY === true && !NO_COLOR && TERM !== 'dumb');
}
