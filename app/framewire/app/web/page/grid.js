/** Where the tiles go. Pure. */

/** As in page.css, CSS pixels. */
const GAP = 8;
const BORDER = 2;

/** A picture as small as a square of so many CSS pixels a side tells nothing: rather scroll. */
const SMALLEST_SIDE = 120;

/** Width of a tile where the grid scrolls. */
const COMFORTABLE_WIDTH = 300;

/** Height of a caption in a tile at least so wide, as page.css wraps it: widths, then heights. */
const CAPTIONS = [
  [560, 32],
  [330, 50],
  [220, 68],
  [0, 86],
];

/**
 * The columns and rows that show the pictures as large as they can be, each in full.
 *
 * @param {number[]} ratios width by height of each picture
 * @param {number} width of the place for the grid, CSS pixels
 * @param {number} height
 * @returns {{columns: number, rows: number, scrolls: boolean, cell: number}} `cell`: the shape of
 *     all pictures' places where the grid scrolls
 */
export function layOut(ratios, width, height) {
  const count = Math.max(1, ratios.length);
  const cell = [...ratios].sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 16 / 9;
  let best = { columns: 1, rows: count, side: 0, smallest: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const sides = ratios.map((ratio) => pictureSide(ratio, place(columns, rows, width, height)));
    const side = sides.reduce((sum, next) => sum + next, 0);
    if (side > best.side) best = { columns, rows, side, smallest: Math.min(...sides) };
  }
  if (count === 1 || best.smallest >= SMALLEST_SIDE) return { ...best, scrolls: false, cell };
  const fitting = Math.floor((width + GAP) / (COMFORTABLE_WIDTH + GAP));
  const columns = Math.min(count, Math.max(1, fitting));
  return { columns, rows: Math.ceil(count / columns), scrolls: true, cell };
}

function place(columns, rows, width, height) {
  const tileWidth = (width - GAP * (columns - 1)) / columns - BORDER;
  const tileHeight = (height - GAP * (rows - 1)) / rows - BORDER;
  const [, caption] = CAPTIONS.find(([from]) => tileWidth >= from) ?? CAPTIONS.at(-1);
  return { width: tileWidth, height: tileHeight - caption };
}

/** Side of the square that is as large as the picture, fitted into its place. */
function pictureSide(ratio, { width, height }) {
  const fitted = Math.max(0, Math.min(width, height * ratio));
  return fitted / Math.sqrt(ratio);
}
