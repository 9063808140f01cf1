// The decoder, layer after layer: y = activation(weight x + bias). A gated layer has two rows of the weight per output:
// the value, and further below its gate.

// Base64 of little-endian f32, the order of every machine with a browser.
function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// Phi(x) of the standard normal distribution: Abramowitz and Stegun, 26.2.17. The error is below 7.5e-8.
function normalCdf(x) {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const p = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = p * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  return x > 0 ? 1 - tail : tail;
}

const activations = {
  identity: (x) => x,
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => (x > 0 ? x : data.leakySlope * x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  gelu: (x) => x * normalCdf(x),
  silu: (x) => x / (1 + Math.exp(-x)),
  exp: (x) => Math.exp(Math.min(Math.max(x, -40), 40)),
  continuous_bernoulli_mean: (x) => (Math.abs(x) < 0.02 ? 0.5 + x / 12 : 1 / (1 - Math.exp(-x)) - 1 / x),
};

// Row `row` of weight [.., x.length] times x. Four sums, since one addition waits for the one before.
function product(weight, row, x) {
  const n = x.length, even = n - (n % 4);
  let at = row * n, a = 0, b = 0, c = 0, d = 0, i = 0;
  for (; i < even; i += 4, at += 4) {
    a += weight[at] * x[i];
    b += weight[at + 1] * x[i + 1];
    c += weight[at + 2] * x[i + 2];
    d += weight[at + 3] * x[i + 3];
  }
  for (; i < n; ++i, ++at) a += weight[at] * x[i];
  return a + b + (c + d);
}

// Writes the means of neighbouring columns, which follow from the outputs y of the last layer.
function writeMeans({ function: name, columns, value }, y, x) {
  if (name === "softmax") {
    const largest = Math.max(...y), e = y.map((l) => Math.exp(l - largest));
    const sum = e.reduce((a, b) => a + b);
    for (let i = 0; i < columns; ++i) x[i] = e[i] / sum;
  } else {
    for (let i = 0; i < columns; ++i)
      x[i] = name === "value" ? value
        : name === "gated_exp" ? activations.exp(y[i]) * activations.sigmoid(-y[columns + i])
        : activations[name](y[i]);
  }
}

// z to the mean of p(x | z), in an array that the next call writes again. `classBiases` are the first layer's biases for the
// classes of a conditional model; decode.choose(c) selects one, and decode.give(k, value) sets a column of the condition.
function makeDecoder(layers, means, classBiases, conditions) {
  const ready = layers.map((layer) => ({
    activate: activations[layer.activation],
    gated: layer.gated,
    weight: floats(layer.weight),  // [out, in]
    bias: floats(layer.bias),
    output: new Float32Array(layer.out),
  }));
  const mean = new Float32Array(means.reduce((sum, m) => sum + m.columns, 0));
  const biases = classBiases.map(floats);
  const decode = (z) => {
    let x = Float32Array.from(z);
    for (const { activate, gated, weight, bias, output } of ready) {
      const sum = (row) => bias[row] + product(weight, row, x);
      for (let row = 0; row < output.length; ++row) output[row] = activate(sum(row));
      if (gated)
        for (let row = 0; row < output.length; ++row) output[row] *= activations.sigmoid(sum(row + output.length));
      x = output;
    }
    if (means.length === 0) return x;
    let from = 0, to = 0;
    for (const m of means) {
      writeMeans(m, x.subarray(from, from + m.outputs), mean.subarray(to, to + m.columns));
      from += m.outputs;
      to += m.columns;
    }
    return mean;
  };
  const columns = conditions.map(({ weight, scale, value }) => ({ weight: floats(weight), scale, value, given: value }));
  let chosen = 0;
  const setBias = () => {
    if (biases.length === 0) return;
    const bias = biases[chosen].slice();
    for (const { weight, scale, value, given } of columns)
      if (given !== value) for (let row = 0; row < bias.length; ++row) bias[row] += scale * (given - value) * weight[row];
    ready[0].bias = bias;
  };
  decode.choose = (c) => { chosen = c; setBias(); };
  decode.give = (k, value) => { columns[k].given = value; setBias(); };
  return decode;
}
