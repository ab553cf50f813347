// A small network at its initial weights: what its layers give, the gradients, and what theory predicts of both.
// A layer has as many units as inputs. The first is followed by blocks of two, with a shortcut or without, and by the
// layer of the logits. The loss is the cross-entropy.
"use strict";

window.deepernets.signal = (() => {
  const MODULUS = 2147483647;
  const MULTIPLIER = 48271; // Park, Miller and Stockmeyer (1993); all products are exact
  const LEFT_OUT = 50; // the first numbers of similar seeds are similar
  const GROWTH = Math.PI / (Math.PI - 1); // Yang et al. (2019): of squared gradients, per normalised layer with a ReLU
  let kept = { seed: null, values: [] };

  /** Return standard normal numbers of a seed: Park and Miller's generator, Box and Muller's transform. */
  function draw(seed, count) {
    if (kept.seed === seed && kept.values.length >= count) return kept.values;
    let state = seed;
    const uniform = () => {
      state = (state * MULTIPLIER) % MODULUS;
      return state / MODULUS;
    };
    for (let skipped = 0; skipped < LEFT_OUT; skipped += 1) uniform();
    const values = new Float64Array(count + (count % 2));
    for (let index = 0; index < count; index += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform()));
      const angle = 2 * Math.PI * uniform();
      values[index] = radius * Math.cos(angle);
      values[index + 1] = radius * Math.sin(angle);
    }
    kept = { seed, values };
    return values;
  }

  /** Return the scalar product of each row of x with each row of w; rows are `length` long. */
  function product(x, w, length) {
    const [rows, units] = [x.length / length, w.length / length];
    const y = new Float64Array(rows * units);
    for (let row = 0; row < rows; row += 1) {
      const own = x.subarray(row * length, (row + 1) * length);
      for (let unit = 0; unit < units; unit += 1) {
        const start = unit * length;
        let [even, odd, i] = [0, 0, 0]; // two sums at a time take half as long
        for (; i + 1 < length; i += 2) {
          even += own[i] * w[start + i];
          odd += own[i + 1] * w[start + i + 1];
        }
        if (i < length) even += own[i] * w[start + i];
        y[row * units + unit] = even + odd;
      }
    }
    return y;
  }

  /** Return the columns of a matrix, whose rows are `length` long, as rows. */
  function transposed(matrix, length) {
    const height = matrix.length / length;
    const turned = new Float64Array(matrix.length);
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < length; column += 1) turned[column * height + row] = matrix[row * length + column];
    }
    return turned;
  }

  /** Make a matrix of the same size, each number from the one in its place. */
  function elementwise(matrix, make) {
    const made = new Float64Array(matrix.length);
    for (let i = 0; i < matrix.length; i += 1) made[i] = make(matrix[i], i);
    return made;
  }

  const relu = (x) => elementwise(x, (value) => (value > 0 ? value : 0));
  const masked = (gradient, x) => elementwise(gradient, (value, i) => (x[i] > 0 ? value : 0));
  const scaled = (x, factor) => elementwise(x, (value) => factor * value);

  function meanSquare(values, centre = 0) {
    let sum = 0;
    for (let i = 0; i < values.length; i += 1) sum += (values[i] - centre) ** 2;
    return sum / values.length;
  }

  const norm = (values) => Math.sqrt(meanSquare(values) * values.length);

  function std(values) {
    let sum = 0;
    for (let i = 0; i < values.length; i += 1) sum += values[i];
    return Math.sqrt(meanSquare(values, sum / values.length));
  }

  /** Normalise each unit over the images; return the result, and what turns its gradient into that by y. */
  function batchNorm(y, images, epsilon) {
    const units = y.length / images;
    const result = new Float64Array(y.length);
    const scales = new Float64Array(units);
    const meanOf = (unit, value) => {
      let sum = 0;
      for (let i = unit; i < y.length; i += units) sum += value(i);
      return sum / images;
    };
    for (let unit = 0; unit < units; unit += 1) {
      const centre = meanOf(unit, (i) => y[i]);
      scales[unit] = 1 / Math.sqrt(meanOf(unit, (i) => (y[i] - centre) ** 2) + epsilon);
      for (let i = unit; i < y.length; i += units) result[i] = scales[unit] * (y[i] - centre);
    }
    const back = (gradient) => {
      const made = new Float64Array(y.length);
      for (let unit = 0; unit < units; unit += 1) {
        const centre = meanOf(unit, (i) => gradient[i]);
        const along = meanOf(unit, (i) => gradient[i] * result[i]);
        for (let i = unit; i < y.length; i += units) made[i] = scales[unit] * (gradient[i] - centre - along * result[i]);
      }
      return made;
    };
    return { result, back };
  }

  /** Return the gradient of the mean cross-entropy by the logits; image i is of class i modulo `classes`. */
  function lossGradient(logits, classes) {
    const rows = logits.length / classes;
    const gradient = new Float64Array(logits.length);
    for (let row = 0; row < rows; row += 1) {
      const scores = logits.subarray(row * classes, (row + 1) * classes);
      const largest = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - largest));
      const total = powers.reduce((sum, power) => sum + power, 0);
      powers.forEach((power, k) => { gradient[row * classes + k] = (power / total - (k === row % classes ? 1 : 0)) / rows; });
    }
    return gradient;
  }

  /** Return, for each layer, the standard deviation of its responses and two norms of gradients.
   *
   * A response is what a layer gives, before any normalisation; `byResponses` and `byWeights` are the norms of the
   * loss's gradient by the responses and by the weights.
   */
  function measure({ depth, sigma, batch, shortcut, gamma, seed }, { units, images, classes, epsilon }) {
    const values = draw(seed, images * units + units * units * (depth - 1) + units * classes);
    let place = 0;
    const take = (count) => values.subarray(place, (place += count));
    const layers = [];

    function layer(x, width = units, normalised = batch) {
      const weights = scaled(take(width * units), sigma);
      const responses = product(x, weights, units);
      const { result, back } = normalised ? batchNorm(responses, images, epsilon) : { result: responses, back: (g) => g };
      layers.push({ x, weights, width, std: std(responses), result, back });
      return result;
    }

    const sums = []; // before the last ReLU of each block
    let x = relu(layer(take(images * units)));
    for (let block = 0; block < (depth - 2) / 2; block += 1) {
      const [before, branch] = [x, layer(relu(layer(x)))];
      const sum = shortcut ? elementwise(branch, (value, i) => before[i] + gamma * value) : branch;
      sums.push(sum);
      x = relu(sum);
    }
    const logits = layer(x, classes, false);

    /** Pass the gradient by a layer's normalised responses on to its input. */
    function through(own, gradient) {
      const byResponses = own.back(gradient);
      own.byResponses = norm(byResponses);
      own.byWeights = norm(product(transposed(byResponses, own.width), transposed(own.x, units), images));
      return product(byResponses, transposed(own.weights, units), own.width);
    }

    let gradient = through(layers.at(-1), lossGradient(logits, classes));
    for (let block = sums.length - 1; block >= 0; block -= 1) {
      const [first, second] = layers.slice(2 * block + 1, 2 * block + 3);
      const bySum = masked(gradient, sums[block]);
      const inside = through(second, shortcut ? scaled(bySum, gamma) : bySum);
      const byInput = through(first, masked(inside, first.result));
      gradient = shortcut ? elementwise(byInput, (value, i) => value + bySum[i]) : byInput;
    }
    through(layers[0], masked(gradient, layers[0].result));
    return layers.map((each) => ({ std: each.std, byResponses: each.byResponses, byWeights: each.byWeights }));
  }

  /** The normal distribution function: Abramowitz and Stegun, 7.1.26, to 10⁻⁷. */
  function cumulative(z) {
    const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
    const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    const below = 1 - tail * Math.exp(-(z ** 2) / 2);
    return z < 0 ? (1 - below) / 2 : (1 + below) / 2;
  }

  /** Return P(s > 0), E[x] and E[x²] of x = max(s, 0) for a normal s. */
  function rectified(mean, variance) {
    const spread = Math.sqrt(variance);
    const share = cumulative(mean / spread);
    const density = Math.exp(-(mean ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI);
    return [share, mean * share + spread * density, (mean ** 2 + variance) * share + mean * spread * density];
  }

  /** Return what theory predicts for wide layers: `std`, and `byResponses` relative to that of the last layer but one.
   *
   * The sum of a shortcut and its branch is taken as normal.
   */
  function predict({ depth, sigma, batch, shortcut, gamma }, { units }) {
    const factor = units * sigma ** 2;
    const normalised = (variance) => (batch ? 1 : variance);
    const weight = shortcut ? gamma ** 2 : 1;
    const responses = [factor];
    const blocks = [];
    let [share, mean, square] = rectified(0, normalised(factor));
    for (let block = 0; block < (depth - 2) / 2; block += 1) {
      const [first, variance] = [factor * square, square - mean ** 2];
      const second = (factor * normalised(first)) / 2;
      responses.push(first, second);
      const branch = weight * normalised(second);
      [share, mean, square] = shortcut ? rectified(mean, variance + branch) : rectified(0, branch);
      blocks.push({ share, variance });
    }
    responses.push(factor * square);

    // Mean squares of gradients. A normalisation divides them by the variance of its input over the images.
    const gradients = Array(depth - 1).fill(0);
    let incoming = 1;
    blocks.reverse().forEach(({ share: positive, variance }, index) => {
      const second = depth - 2 - 2 * index;
      const bySum = incoming * positive;
      gradients[second] = bySum * weight * (batch ? (2 * GROWTH) / factor : 1);
      gradients[second - 1] = ((gradients[second] * factor) / 2) * (batch ? 1 / (factor * variance) : 1);
      incoming = gradients[second - 1] * factor + (shortcut ? bySum : 0);
    });
    gradients[0] = (incoming / 2) * (batch ? 1 / factor : 1);
    const last = gradients.at(-1);
    return responses.map((variance, index) => ({
      std: Math.sqrt(variance),
      byResponses: index < depth - 1 && last > 0 ? Math.sqrt(gradients[index] / last) : null,
    }));
  }

  return { draw, measure, predict };
})();
