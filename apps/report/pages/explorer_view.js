// What the decoder's output looks like: an image, or a table's row as bars. draw() fills the view's canvas,
// tile() a rectangle of another one.

function imageView(canvas, height, width) {
  canvas.classList.add("gx-pixels");
  canvas.style.setProperty("--gx-aspect", width / height);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  image.data.fill(255);
  const put = (to, values, left, top) => {
    for (let i = 0; i < values.length; ++i) image.data.fill(Math.round(255 * values[i]), 4 * i, 4 * i + 3);
    to.putImageData(image, left, top);
  };
  return {
    tileWidth: width,
    tileHeight: height,
    draw: (values) => put(context, values, 0, 0),
    tile: put,
  };
}

// Bars to the right of zero and to the left, on one scale for all columns and all z. The numbers beside them are offset +
// scale * value, with the units [scale, offset] of each column, if there are units.
function barsView(canvas, names, [low, high], units) {
  const kRow = 26, kTile = 32;
  canvas.classList.add("gx-bars");
  canvas.style.height = `${names.length * kRow + 16}px`;
  const text = (value, i) => (units.length ? short(units[i][1] + units[i][0] * value) : signed(value, 2));
  const part = (value) => (Math.min(Math.max(value, low), high) - low) / (high - low);
  const bar = (context, value, left, top, width, height) => {
    const zero = part(0) * width, end = part(value) * width;
    context.fillRect(left + Math.min(zero, end), top, Math.max(Math.abs(end - zero), 1), height);
  };
  const draw = (values) => {
    const { context, width } = crisp(canvas);
    context.font = "13px " + fontOf(canvas);
    context.textBaseline = "middle";
    const widest = Math.max(...names.map((name) => context.measureText(name).width));
    const left = Math.min(widest, 0.35 * width) + 20, room = width - left - 74;
    names.forEach((name, i) => {
      const middle = 8 + (i + 0.5) * kRow;
      context.textAlign = "right";
      context.fillStyle = colour("ink");
      context.fillText(shortened(context, name, left - 18), left - 10, middle);
      context.fillText(text(values[i], i), width - 12, middle);
      context.fillStyle = colour("accent");
      bar(context, values[i], left, middle - 8, room, 16);
    });
    context.fillStyle = colour("muted");
    context.fillRect(Math.round(left + part(0) * room), 8, 1, names.length * kRow);
  };
  const tile = (context, values, left, top) => {
    context.fillStyle = colour("card");
    context.fillRect(left, top, kTile, kTile);
    context.fillStyle = colour("accent");
    const row = (kTile - 4) / names.length;
    names.forEach((_, i) => bar(context, values[i], left + 2, top + 2 + i * row, kTile - 4, 0.8 * row));
  };
  return { tileWidth: kTile, tileHeight: kTile, draw, tile };
}

// The canvas cleared, its pixels those of the screen; sizes in CSS pixels.
function crisp(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, ratio = devicePixelRatio || 1;
  const columns = Math.round(width * ratio), rows = Math.round(height * ratio);
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function shortened(context, text, width) {
  let shown = text;
  while (shown && context.measureText(shown + (shown === text ? "" : "…")).width > width) shown = shown.slice(0, -1);
  return shown === text ? text : shown + "…";
}

const fontOf = (element) => getComputedStyle(element).fontFamily;

// A fixed width for either sign: U+2212 is as wide as the plus.
const signed = (value, digits) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

// Four digits, which suit values of any size.
const short = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

// A colour of theme.css, as the page shows it now.
const probe = root.appendChild(document.createElement("span"));
probe.hidden = true;
function colour(name) {
  probe.style.color = `var(--gx-${name})`;
  return getComputedStyle(probe).color;
}
