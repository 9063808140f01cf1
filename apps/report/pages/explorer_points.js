// The encoded data: colours by label or quantity, and the legend.

function rampColour(part) {
  const at = part * (data.ramp.length - 1), i = Math.min(Math.floor(at), data.ramp.length - 2), t = at - i;
  const channel = (text, k) => parseInt(text.slice(2 * k + 1, 2 * k + 3), 16);
  const mix = (k) => Math.round(channel(data.ramp[i], k) * (1 - t) + channel(data.ramp[i + 1], k) * t);
  return `rgb(${mix(0)}, ${mix(1)}, ${mix(2)})`;
}

// Points and how they are shown: count, at(i, dimension), colourOf(i), and the classes that have names.
function makePoints(latent) {
  const values = floats(data.points), labels = data.labels, count = values.length / latent;
  const distinct = [...new Set(labels)].sort((a, b) => a - b);
  const named = !data.isQuantity && distinct.length <= data.colours.length;
  // As in the figures class 3 has the fourth colour, whichever classes are there.
  const byLabel = distinct.every((label) => label in data.colours);
  const classes = named
    ? distinct.map((label, i) => ({ label, colour: data.colours[byLabel ? label : i], shown: true })) : [];
  const classOf = new Map(classes.map((c) => [c.label, c]));
  const low = distinct[0], high = distinct.at(-1);
  return {
    count, classes, low, high, labelled: distinct.length > 0,
    at: (i, dimension) => values[i * latent + dimension],
    shown: (i) => classOf.get(labels[i])?.shown ?? true,
    // null without labels
    colourOf: (i) => classOf.get(labels[i])?.colour ??
      (labels.length ? rampColour(high > low ? (labels[i] - low) / (high - low) : 0) : null),
    membersOf: ({ label }) => [...labels.keys()].filter((i) => labels[i] === label),
  };
}

const nameOf = ({ label }) => data.labelNames[label] ?? String(label);

function buildLegend(place, points, changed) {
  if (points.labelled && data.colourLabel) {
    const name = document.createElement("span");
    name.textContent = data.colourLabel;
    place.append(name);
  }
  for (const c of points.classes) {
    const button = document.createElement("button"), dot = document.createElement("i");
    button.type = "button";
    button.title = "Show or hide";
    button.setAttribute("aria-pressed", "true");
    dot.style.background = c.colour;
    button.append(dot, nameOf(c));
    button.addEventListener("click", () => {
      c.shown = !c.shown;
      button.setAttribute("aria-pressed", c.shown);
      changed();
    });
    place.append(button);
  }
  if (points.classes.length || !points.labelled) return;
  const ramp = document.createElement("i");
  ramp.className = "gx-ramp";
  ramp.style.background = `linear-gradient(to right, ${data.ramp.join(", ")})`;
  const text = (value) => String(Number(value.toPrecision(4))).replace("-", "−");
  place.append(text(points.low), ramp, text(points.high));
}
