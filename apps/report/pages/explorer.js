// The current z, and everything that moves it or shows it.

const latent = data.sliders.length;
const find = (selector) => root.querySelector(selector);
const padCanvas = find(".gx-pad");
const decode = makeDecoder(data.decoder, data.means, data.classBiases, data.conditions);
const points = makePoints(latent);
const range = ({ low, high, scale }) => [low * scale, high * scale].sort((a, b) => a - b);
const axisOf = (dimension) => {
  const [low, high] = range(data.sliders[dimension]);
  return { dimension, name: data.sliders[dimension].name, low, high };
};

// Smallest and largest value that a table's decoder gives at the data, or without data at the sliders' ends, for all
// classes and at the ends of the condition's columns.
function valueRange() {
  let low = 0, high = 0;
  const look = (z) => {
    for (const value of decode(z)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  };
  const conditions = [() => {}, ...data.classes.map((_, c) => () => decode.choose(c)),
    ...data.conditions.flatMap((c, k) => [c.low, c.high].map((value) => () => decode.give(k, value)))];
  const step = Math.max(1, Math.floor((points.count * Math.max(conditions.length, 1)) / 300));
  for (const set of conditions) {
    set();
    look(new Float32Array(latent));
    for (let i = 0; i < points.count; i += step) look(Float32Array.from({ length: latent }, (_, k) => points.at(i, k)));
    if (points.count === 0) data.sliders.forEach((slider, k) => {
      for (const end of range(slider)) look(Float32Array.from({ length: latent }, (_, i) => (i === k ? end : 0)));
    });
    decode.choose(0);
    data.conditions.forEach((c, k) => decode.give(k, c.value));
  }
  return low < high ? [low, high] : [-1, 1];
}

const view = data.height > 1
  ? imageView(find(".gx-image"), data.height, data.width)
  : barsView(find(".gx-image"), data.columns, valueRange(), data.units);
find(".gx-units").textContent = data.unitNote;
const manifold = makeManifold(decode, view, () => { pad.refreshGround(); pad.draw(z); });
const pad = makePad(padCanvas, points, manifold);
let axes = [0, 1].map((k) => (k < latent ? axisOf(k) : null));
let z = new Float32Array(latent);

// ---- showing z ----

const kCaptioned = 6;  // dimensions in the caption; with more, those of the pad
const sliderRows = data.sliders.map(buildSlider);
const step = (slider) => Math.abs(slider.step * slider.scale);
const digitsOf = (size) => Math.max(0, Math.min(6, -Math.floor(Math.log10(size) + 1e-9)));

function showZ() {
  const shown = latent <= kCaptioned ? data.sliders.map((_, i) => i) : axes.map((axis) => axis.dimension);
  const caption = find(".gx-z");
  if (caption.children.length !== shown.length) {
    caption.replaceChildren(...shown.map(() => {
      const row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      return row;
    }));
  }
  const value = (i) => signed(z[i], Math.max(2, digitsOf(step(data.sliders[i]))));
  shown.forEach((i, k) => {
    caption.children[k].firstChild.textContent = data.sliders[i].name;
    caption.children[k].lastChild.textContent = value(i);
  });
  sliderRows.forEach(({ input, output }, i) => {
    const { scale, step } = data.sliders[i], position = z[i] / scale;
    input.value = position;
    output.textContent = signed(position, digitsOf(step));
  });
  padCanvas.setAttribute("aria-valuenow", z[axes[0].dimension].toFixed(2));
  padCanvas.setAttribute("aria-valuetext", axes.filter(Boolean)
    .map(({ name, dimension }) => `${name} ${z[dimension].toFixed(2)}`).join(", "));
}

// ---- the classes of a conditional model: what each decodes z to, and the chosen one ----

let chosen = 0;
// Without classes, the condition's columns have the only bias.
const tiledClasses = data.conditions.length && data.classes.length === 1 ? [] : data.classes;
const classTiles = tiledClasses.map((name, c) => {
  const button = document.createElement("button"), canvas = document.createElement("canvas");
  const text = document.createElement("span");
  Object.assign(canvas, { width: view.tileWidth, height: view.tileHeight });
  text.textContent = name;
  button.type = "button";
  button.append(canvas, text);
  button.addEventListener("click", () => chooseClass(c));
  find(".gx-classes").append(button);
  return { button, context: canvas.getContext("2d") };
});
function chooseClass(c) {
  chosen = c;
  decode.choose(chosen);
  redraw();
}
function showClasses() {
  classTiles.forEach(({ button, context }, c) => {
    decode.choose(c);
    view.tile(context, decode(z), 0, 0);
    button.setAttribute("aria-pressed", c === chosen);
  });
  decode.choose(chosen);
}

// ---- the columns of the condition ----

const conditionRows = data.conditions.map(({ name, low, high, value }, k) => {
  const row = document.createElement("label"), text = document.createElement("span");
  const input = document.createElement("input"), output = document.createElement("output");
  row.className = "gx-condition";
  text.textContent = text.title = name;
  Object.assign(input, { type: "range", min: low, max: high, step: (high - low) / 200, value });
  input.setAttribute("aria-label", `${name}, a condition`);
  output.textContent = short(value);
  input.addEventListener("input", () => give(k, Number(input.value)));
  row.append(text, input, output);
  find(".gx-conditions").append(row);
  return { input, output };
});
function give(k, value) {
  conditionRows[k].input.value = value;
  conditionRows[k].output.textContent = short(value);
  decode.give(k, value);
  redraw();
}

function show() {
  if (pad.shows.manifold) manifold.update(z, axes);
  showClasses();
  view.draw(decode(z));
  pad.draw(z);
  showZ();
}

// ---- moving z ----

let glide = 0;  // a number for every movement: a newer one ends those before

function setZ(values) {
  if (values.length !== latent) throw new RangeError(`expected ${latent} numbers, got ${values.length}`);
  ++glide;
  z = Float32Array.from(values);
  show();
}

function glideTo(target) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return setZ(target);
  const kMilliseconds = 350, from = z, began = performance.now();
  const frame = () => {
    if (mine !== glide) return;
    const part = Math.min((performance.now() - began) / kMilliseconds, 1), eased = part * part * (3 - 2 * part);
    setZ(part < 1 ? from.map((value, i) => value + eased * (target[i] - value)) : target);
    mine = glide;
    if (part < 1) requestAnimationFrame(frame);
  };
  let mine = ++glide;
  requestAnimationFrame(frame);
}

function moveAxes(values) {
  const moved = z.slice();
  axes.forEach((axis, i) => { if (axis) moved[axis.dimension] = values[i]; });
  setZ(moved);
}

function normal() {  // Box and Muller
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

// Of the prior; where that is learned, of the encoded data, which it has learned to follow.
function randomDraw() {
  const from = data.isNormal || points.count === 0 ? null : Math.floor(Math.random() * points.count);
  return Float32Array.from({ length: latent }, (_, k) => (from === null ? normal() : points.at(from, k)));
}

// ---- the pad ----

// A mouse moves z wherever it goes on the pad; a click holds z, so that the mouse can leave, until the next click.
let held = false, press = null;
function showHint() {
  const [first, second] = find(".gx-hint").children;
  first.textContent = held ? "z is held; click the pad to release it." : "Point or drag to move z; click to hold it.";
  second.textContent = "Arrow keys move z too, with Shift in larger steps." +
    (axes[1] && data.isNormal ? " Dashed: one and two standard deviations of the prior." : "");
}
padCanvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  if (event.isTrusted) padCanvas.setPointerCapture(event.pointerId);
  press = { held, x: event.clientX, y: event.clientY };
  moveAxes(pad.valuesAt(event));
});
padCanvas.addEventListener("pointermove", (event) => {
  if (press || (!held && event.pointerType === "mouse")) moveAxes(pad.valuesAt(event));
});
padCanvas.addEventListener("pointerup", (event) => {
  if (!press) return;
  const clicked = Math.hypot(event.clientX - press.x, event.clientY - press.y) < 4;
  held = !(clicked && press.held);
  press = null;
  showHint();
});
padCanvas.addEventListener("pointercancel", () => { press = null; });
padCanvas.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] }[event.key];
  const axis = move && axes[move[0]];
  if (!axis || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const moved = z.slice(), size = step(data.sliders[axis.dimension]) * (event.shiftKey ? 10 : 1);
  moved[axis.dimension] = Math.min(Math.max(z[axis.dimension] + move[1] * size, axis.low), axis.high);
  setZ(moved);
});

function setAxes(dimensions) {
  axes = dimensions.map((dimension) => (dimension < latent ? axisOf(dimension) : null));
  pad.setAxes(axes);
  const names = axes.filter(Boolean).map((axis) => axis.name);
  padCanvas.setAttribute("aria-label", `Latent pad: ${names.join(" to the right, ")}${names[1] ? " upwards" : ""}`);
  padCanvas.setAttribute("aria-valuemin", axes[0].low);
  padCanvas.setAttribute("aria-valuemax", axes[0].high);
  for (const select of root.querySelectorAll("[data-axis]")) select.value = dimensions[select.dataset.axis];
  show();
}

function buildAxisMenus() {
  for (const select of root.querySelectorAll("[data-axis]")) {
    if (latent <= 2) {
      select.parentElement.remove();
      continue;
    }
    data.sliders.forEach(({ name }, i) => select.append(new Option(name, i)));
    select.addEventListener("change", () => {
      const chosen = axes.map((axis) => axis.dimension), mine = Number(select.dataset.axis);
      const wanted = Number(select.value);
      if (chosen[1 - mine] === wanted) chosen[1 - mine] = chosen[mine];  // the other axis takes what this one had
      chosen[mine] = wanted;
      setAxes(chosen);
    });
  }
}

// ---- sliders, buttons, switches ----

function buildSlider({ name, low, high, step }, index) {
  const row = document.createElement("label"), text = document.createElement("span");
  const input = document.createElement("input"), output = document.createElement("output");
  row.className = "gx-slider";
  text.textContent = text.title = name;
  Object.assign(input, { type: "range", min: low, max: high, step });
  input.setAttribute("aria-label", name);
  input.addEventListener("input", () => {
    const moved = z.slice();
    moved[index] = Number(input.value) * data.sliders[index].scale;
    setZ(moved);
  });
  row.append(text, input, output);
  find(".gx-sliders").append(row);
  return { input, output };
}

async function copyZ(button) {
  const text = JSON.stringify([...z].map((value) => Number(value.toFixed(6))));
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    prompt("z", text);  // no clipboard here: it can be copied by hand
  }
  setTimeout(() => { button.textContent = "Copy z"; }, 1200);
}

const actions = {
  reset: () => glideTo(new Float32Array(latent)),
  random: () => glideTo(randomDraw()),
  copy: copyZ,
};
for (const button of root.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => actions[button.dataset.do](button));
}
for (const box of root.querySelectorAll("[data-show]")) {
  box.addEventListener("change", () => {
    pad.shows[box.dataset.show] = box.checked;
    pad.refresh();
    show();
  });
}
if (points.count === 0) for (const part of root.querySelectorAll(".gx-only-points")) part.hidden = true;

function redraw() {
  manifold.forget();
  pad.refresh();
  show();
}
buildLegend(find(".gx-legend"), points, () => { pad.refresh(); pad.draw(z); });
buildAxisMenus();
setAxes([0, 1]);
showHint();
new ResizeObserver(show).observe(padCanvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new MutationObserver(redraw).observe(document.documentElement, { attributes: true });

window.gpuvae = {
  decode: (values) => decode(values).slice(),  // z to the mean of p(x | z)
  setZ,
  z: () => Array.from(z),
  latent,
  chooseClass,
  give,  // sets column k of the condition to a value in the units of the data
};
