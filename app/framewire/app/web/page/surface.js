/** Who draws on a canvas: the worker where browsers can do that, else the page. */

/** Some browsers have offscreen canvases, but no 2D context for them. */
const OFFSCREEN =
  "transferControlToOffscreen" in HTMLCanvasElement.prototype &&
  new OffscreenCanvas(1, 1).getContext("2d") !== null;

/**
 * What to give to the worker; null if it cannot draw.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {OffscreenCanvas | null}
 */
export const offscreen = (canvas) => (OFFSCREEN ? canvas.transferControlToOffscreen() : null);

/**
 * Draw a bitmap, which is closed by that.
 *
 * @param {HTMLCanvasElement} canvas that the worker does not draw on
 * @param {ImageBitmap} bitmap
 */
export function draw(canvas, bitmap) {
  const { width, height } = bitmap;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
}
