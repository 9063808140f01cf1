// The decoder, layer after layer: y = activation(weight x + bias).

// Base64 of little-endian f32, the order of every machine with a browser.
function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const activations = {
  identity: (x) => x,
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => (x > 0 ? x : data.leakySlope * x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
};

// z to the last layer's output, in an array that the next call writes again.
function makeDecoder(layers) {
  const ready = layers.map((layer) => ({
    activate: activations[layer.activation],
    weight: floats(layer.weight),  // [out, in]
    bias: floats(layer.bias),
    output: new Float32Array(layer.out),
  }));
  return (z) => {
    let x = Float32Array.from(z);
    for (const { activate, weight, bias, output } of ready) {
      for (let row = 0, at = 0; row < output.length; ++row) {
        let sum = bias[row];
        for (let i = 0; i < x.length; ++i) sum += weight[at++] * x[i];
        output[row] = activate(sum);
      }
      x = output;
    }
    return x;
  };
}
