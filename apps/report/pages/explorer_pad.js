// The latent plane: axes, the prior's circles, encoded data, manifold and cross-hair, on one canvas.

function makePad(canvas, points, manifold) {
  const kMargin = { left: 58, right: 16, top: 20, bottom: 54 };
  // What stays while the cross-hair moves: axes and manifold, and above them the data.
  const ground = document.createElement("canvas"), dots = document.createElement("canvas");
  const shows = { points: points.count > 0, manifold: false };
  let axes = [], size = 0, staleGround = true, staleDots = true;

  const plotSide = () => size - kMargin.left - kMargin.right;
  const toX = (value) => kMargin.left + ((value - axes[0].low) / (axes[0].high - axes[0].low)) * plotSide();
  const toY = (value) => axes[1]
    ? kMargin.top + ((axes[1].high - value) / (axes[1].high - axes[1].low)) * plotSide()
    : kMargin.top + plotSide() / 2;

  function drawAxes(context) {
    const side = plotSide(), { left, top } = kMargin;
    const ink = colour("ink"), muted = colour("muted"), line = colour("line");
    context.font = "12px " + fontOf(canvas);
    context.lineWidth = 1;
    const grid = (x1, y1, x2, y2) => {
      context.strokeStyle = line;
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    };
    const crispAt = (position) => Math.round(position) + 0.5;
    context.fillStyle = muted;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const { value, text } of ticks(axes[0])) {
      const x = crispAt(toX(value));
      grid(x, top, x, top + side + 5);
      context.fillText(text, x, top + side + 8);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { value, text } of axes[1] ? ticks(axes[1]) : []) {
      const y = crispAt(toY(value));
      grid(left - 5, y, left + side, y);
      context.fillText(text, left - 8, y);
    }
    context.fillStyle = ink;
    context.font = "600 13px " + fontOf(canvas);
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.fillText(shortened(context, axes[0].name, side), left + side / 2, size - 8);
    if (!axes[1]) return;
    context.save();
    context.translate(14, top + side / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(shortened(context, axes[1].name, side), 0, 0);
    context.restore();
  }

  function drawPrior(context) {
    const scale = (axis) => plotSide() / (axis.high - axis.low);
    context.save();
    context.strokeStyle = shows.manifold ? "rgba(255, 255, 255, 0.8)" : colour("muted");
    context.setLineDash([3, 5]);
    for (const deviations of [1, 2]) {
      context.beginPath();
      context.ellipse(toX(0), toY(0), deviations * scale(axes[0]), deviations * scale(axes[1]), 0, 0, 2 * Math.PI);
      context.stroke();
    }
    context.restore();
  }

  function drawPoints(context) {
    const radius = Math.max(1.4, Math.min(3, 160 / Math.sqrt(points.count + 1))) * Math.max(size / 560, 0.7);
    // With one dimension the points are spread over the height, always in the same way.
    const y = (i) => (axes[1] ? toY(points.at(i, axes[1].dimension))
                              : kMargin.top + plotSide() * (0.1 + 0.8 * ((i * 0.618034) % 1)));
    const plain = colour("accent");
    context.globalAlpha = shows.manifold ? 0.85 : 0.75;
    for (let i = 0; i < points.count; ++i) {
      if (!points.shown(i)) continue;
      context.fillStyle = points.colourOf(i) ?? plain;
      context.beginPath();
      context.arc(toX(points.at(i, axes[0].dimension)), y(i), radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  // Each label stands at the median of its points, or near it: nobody needs the colours alone.
  function classPlaces() {
    const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
    const places = points.classes.filter((c) => c.shown).map((c) => {
      const members = points.membersOf(c);
      const [x, y] = axes.map((axis) => median(members.map((i) => points.at(i, axis.dimension))));
      return { text: nameOf(c), x: toX(x), y: toY(y) };
    });
    const kApart = 20;
    for (let round = 0; round < 20; ++round) {
      places.forEach((a, i) => places.slice(i + 1).forEach((b) => {
        const right = b.x - a.x, down = b.y - a.y || 0.01, distance = Math.hypot(right, down);
        const push = Math.max(kApart - distance, 0) / 2 / distance;
        a.x -= push * right, a.y -= push * down;
        b.x += push * right, b.y += push * down;
      }));
    }
    return places;
  }

  function drawClassNames(context) {
    context.font = "700 16px " + fontOf(canvas);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = colour("card");
    context.fillStyle = colour("ink");
    for (const { text, x, y } of classPlaces()) {
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    }
  }

  function clipToPlot(context, around = 0) {
    context.beginPath();
    context.rect(kMargin.left - around, kMargin.top - around, plotSide() + 2 * around, plotSide() + 2 * around);
    context.clip();
  }

  // Draws a layer anew, with the canvas's pixels.
  function redo(layer, paint) {
    layer.width = canvas.width;
    layer.height = canvas.height;
    const context = layer.getContext("2d");
    context.setTransform(canvas.getContext("2d").getTransform());
    paint(context);
  }

  function drawGround(context) {
    drawAxes(context);
    clipToPlot(context);
    if (!shows.manifold) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(manifold.canvas, kMargin.left, kMargin.top, plotSide(), plotSide());
  }

  function drawDots(context) {
    clipToPlot(context);
    if (shows.points) drawPoints(context);
    if (axes[1] && data.isNormal) drawPrior(context);
    if (axes[1] && shows.points) drawClassNames(context);
  }

  // Dark on light on dark: seen on any image and in any theme.
  function drawCrossHair(context, z) {
    const x = toX(z[axes[0].dimension]), y = axes[1] ? toY(z[axes[1].dimension]) : toY(0), side = plotSide();
    context.save();
    clipToPlot(context);
    for (const [style, width] of [["rgba(255, 255, 255, 0.75)", 3], ["rgba(0, 0, 0, 0.8)", 1]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x, kMargin.top);
      context.lineTo(x, kMargin.top + side);
      if (axes[1]) {
        context.moveTo(kMargin.left, y);
        context.lineTo(kMargin.left + side, y);
      }
      context.stroke();
    }
    context.restore();
    context.save();
    clipToPlot(context, 10);  // the ring is whole at the plot's edge
    for (const [style, width] of [["#fff", 5], ["#d0103a", 2.5]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 7.5, 0, 2 * Math.PI);
      context.stroke();
    }
    context.restore();
  }

  return {
    shows,
    refresh() { staleGround = staleDots = true; },
    refreshGround() { staleGround = true; },
    // Which dimensions it shows: {dimension, name, low, high}, to the right and upwards; null where there is none.
    setAxes(both) {
      axes = both;
      staleGround = staleDots = true;
    },
    draw(z) {
      const { context, width } = crisp(canvas);
      if (width === 0) return;
      if (width !== size || ground.width !== canvas.width) staleGround = staleDots = true;
      size = width;
      if (staleGround) redo(ground, drawGround);
      if (staleDots) redo(dots, drawDots);
      staleGround = staleDots = false;
      for (const layer of [ground, dots]) context.drawImage(layer, 0, 0, size, size);
      drawCrossHair(context, z);
    },
    // The z of the axes under a pointer, within their ranges.
    valuesAt(event) {
      const box = canvas.getBoundingClientRect(), side = plotSide();
      const part = (position, margin) => Math.min(Math.max((position - margin) / side, 0), 1);
      const right = part(event.clientX - box.left - canvas.clientLeft, kMargin.left);
      const down = part(event.clientY - box.top - canvas.clientTop, kMargin.top);
      const parts = [right, 1 - down];
      return axes.map((axis, i) => axis && axis.low + parts[i] * (axis.high - axis.low));
    },
  };
}

// Round numbers within an axis, at most nine of them.
function ticks({ low, high }) {
  const rough = (high - low) / 8, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= 0.999 * rough) * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const list = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) {
    list.push({ value: i * step, text: (i < 0 ? "−" : "") + Math.abs(i * step).toFixed(digits) });
  }
  return list;
}
