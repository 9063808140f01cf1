// A grid of decoded tiles under the pad, computed a few milliseconds a frame.

function makeManifold(decode, view, tick) {
  const kSide = 15, kMilliseconds = 8;
  const canvas = document.createElement("canvas");
  canvas.width = kSide * view.tileWidth;
  let rows = 0, key = "", next = 0, left = 0, running = false, job = null;

  // Tile after tile all over the plane, so that a grid that changes under way changes everywhere.
  const drawTile = () => {
    const index = (next * 97) % (kSide * rows), column = index % kSide, row = Math.floor(index / kSide);
    const z = job.z.slice(), [x, y] = job.axes;
    z[x.dimension] = x.low + ((column + 0.5) / kSide) * (x.high - x.low);
    if (y) z[y.dimension] = y.high - ((row + 0.5) / rows) * (y.high - y.low);
    view.tile(canvas.getContext("2d"), decode(z), column * view.tileWidth, row * view.tileHeight);
    next = (next + 1) % (kSide * rows);
    --left;
  };
  const run = () => {
    const began = performance.now();
    while (left > 0 && performance.now() - began < kMilliseconds) drawTile();
    running = left > 0;
    if (running) requestAnimationFrame(run);
    tick();
  };

  return {
    canvas,
    forget() { key = ""; },
    // Brings the grid up to z and to the pad's axes ({dimension, low, high}; no second one: one row).
    update(z, axes) {
      const shown = axes.filter(Boolean).map((axis) => axis.dimension);
      const wanted = JSON.stringify([axes, [...z].map((value, i) => (shown.includes(i) ? 0 : value))]);
      if (wanted === key) return;
      key = wanted;
      job = { z: z.slice(), axes };
      rows = axes[1] ? kSide : 1;
      if (canvas.height !== rows * view.tileHeight) canvas.height = rows * view.tileHeight;
      left = kSide * rows;
      if (running) return;
      running = true;
      requestAnimationFrame(run);
    },
  };
}
