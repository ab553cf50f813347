// The statistics of the explorer "Is it real?", as in deepernets.analysis.statistics; shares are not per cent.
"use strict";

window.deepernets.statistics = (() => {
  const Z80 = 0.8416;
  const Z95 = 1.96;

  /** Return Wilson's interval for a share, counted on so many images. */
  function wilson(right, images) {
    const [share, z2] = [right / images, Z95 * Z95];
    const middle = share + z2 / (2 * images);
    const half = Z95 * Math.sqrt((share * (1 - share)) / images + z2 / (4 * images * images));
    const scale = 1 + z2 / images;
    return [right === 0 ? 0 : (middle - half) / scale, right === images ? 1 : (middle + half) / scale];
  }

  const around = (middle, half) => [middle - half, middle + half];

  function unpairedInterval(one, other, images) {
    const [p, q] = [one / images, other / images];
    return around(p - q, Z95 * Math.sqrt((p * (1 - p) + q * (1 - q)) / images));
  }

  function pairedInterval(onlyOne, onlyOther, images) {
    const [apart, difference] = [(onlyOne + onlyOther) / images, (onlyOne - onlyOther) / images];
    return around(difference, Z95 * Math.sqrt(Math.max(apart - difference * difference, 0) / images));
  }

  /** Return the two-sided p-value of so many heads and tails of a fair coin, from weights relative to the middle's. */
  function mcnemar(heads, tails) {
    const [fewer, all] = [Math.min(heads, tails), heads + tails];
    if (heads === tails) return 1;
    let [weight, half, low] = [1, 0, 0];
    for (let count = Math.floor(all / 2); count >= 0 && weight > 0; count -= 1) {
      half += weight;
      if (count <= fewer) low += weight;
      weight *= count / (all - count + 1);
    }
    return Math.min(1, (2 * low) / (all % 2 ? 2 * half : 2 * half - 1)); // the middle of an even number is there once
  }

  /** Return the lowest and the highest p-value that the numbers of mistakes allow. */
  function mcnemarBounds(one, other, images) {
    const [fewer, more] = [images - Math.max(one, other), images - Math.min(one, other)];
    const leastShared = Math.max(0, fewer + more - images);
    return [mcnemar(0, more - fewer), mcnemar(fewer - leastShared, more - leastShared)].sort((a, b) => a - b);
  }

  /** Return by how much the best of several equally good networks is expected to exceed their true accuracy. */
  function gainFromImages(share, images, tries) {
    if (share === 0 || share === 1 || tries === 1) return 0;
    const odds = share / (1 - share);
    const mode = Math.floor((images + 1) * share);
    const weights = [1];
    for (let x = mode, w = 1; x < images && w > 1e-20; x += 1) weights.push((w *= ((images - x) / (x + 1)) * odds));
    let first = mode;
    for (let w = 1; first > 0 && w > 1e-20; first -= 1) weights.unshift((w *= first / (images - first + 1) / odds));
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    let [atMost, best] = [0, first];
    for (const weight of weights.slice(0, -1)) {
      atMost += weight / all;
      best += 1 - Math.min(atMost, 1) ** tries; // the mean of a maximum is the sum of P(maximum > x)
    }
    return best / images - share;
  }

  /** Return the expected maximum of standard normal variables: 8 less the integral of Φᵏ from -8 to 8. */
  function expectedMaximum(draws) {
    if (draws === 1) return 0;
    const step = 0.01;
    let [sum, integral, before] = [0, 0, 0];
    for (let index = -800; index <= 800; index += 1) {
      const z = index * step;
      const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
      sum += ((before + density) * step) / 2;
      before = density;
      const below = sum + (step * step * z * density) / 12; // Euler and Maclaurin's correction
      integral += (index === 800 ? step / 2 : step) * Math.max(below, 0) ** draws;
    }
    return 8 - integral;
  }

  function imagesNeeded(one, other) {
    const mean = (one + other) / 2;
    const underNull = Math.sqrt(2 * mean * (1 - mean));
    const underAlternative = Math.sqrt(one * (1 - one) + other * (1 - other));
    return Math.ceil(((Z95 * underNull + Z80 * underAlternative) / (one - other)) ** 2);
  }

  function imagesNeededPaired(apart, difference) {
    const underAlternative = Math.sqrt(apart - difference * difference);
    return Math.ceil(((Z95 * Math.sqrt(apart) + Z80 * underAlternative) / difference) ** 2);
  }

  return {
    expectedMaximum, gainFromImages, imagesNeeded, imagesNeededPaired, mcnemar, mcnemarBounds, pairedInterval,
    unpairedInterval, wilson,
  };
})();
