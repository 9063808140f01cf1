// The encoded data: colours by label, and the legend.

// Ten colours for light and dark grounds, found by search: any two differ by 0.16 or more in OKLab, and by 0.10 or
// more as seen with protanopia, deuteranopia or tritanopia (Machado et al., 2009). Digits that neighbour in latent
// space got colours far apart.
const kCategories = ["#126554", "#fb9fd5", "#ab88ff", "#bac42e", "#8631a1",
                     "#4c6be6", "#987196", "#cb6e12", "#b11206", "#02ba87"];
// Viridis (Smith and van der Walt, 2015), for more labels than that: they read as a quantity.
const kRamp = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];

function rampColour(part) {
  const at = part * (kRamp.length - 1), i = Math.min(Math.floor(at), kRamp.length - 2), t = at - i;
  const channel = (text, k) => parseInt(text.slice(2 * k + 1, 2 * k + 3), 16);
  const mix = (k) => Math.round(channel(kRamp[i], k) * (1 - t) + channel(kRamp[i + 1], k) * t);
  return `rgb(${mix(0)}, ${mix(1)}, ${mix(2)})`;
}

// Points and how they are shown: count, at(i, dimension), colourOf(i), and the classes that have names.
function makePoints(latent) {
  const values = floats(data.points), labels = data.labels, count = values.length / latent;
  const distinct = [...new Set(labels)].sort((a, b) => a - b);
  const named = distinct.length <= kCategories.length;
  const classes = named ? distinct.map((label, i) => ({ label, colour: kCategories[i], shown: true })) : [];
  const classOf = new Map(classes.map((c) => [c.label, c]));
  const low = distinct[0], high = distinct.at(-1);
  return {
    count, classes, low, high, labelled: distinct.length > 0,
    at: (i, dimension) => values[i * latent + dimension],
    shown: (i) => classOf.get(labels[i])?.shown ?? true,
    // null without labels
    colourOf: (i) => classOf.get(labels[i])?.colour ??
      (labels.length ? rampColour((labels[i] - low) / (high - low)) : null),
    membersOf: ({ label }) => [...labels.keys()].filter((i) => labels[i] === label),
  };
}

function buildLegend(place, points, changed) {
  for (const c of points.classes) {
    const button = document.createElement("button"), dot = document.createElement("i");
    button.type = "button";
    button.title = "Show or hide";
    button.setAttribute("aria-pressed", "true");
    dot.style.background = c.colour;
    button.append(dot, String(c.label));
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
  ramp.style.background = `linear-gradient(to right, ${kRamp.join(", ")})`;
  place.append(String(points.low), ramp, String(points.high));
}
