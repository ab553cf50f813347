// The layers of VGG and ResNet from the papers' tables, with sizes and costs for one image. A row is a convolution with
// its normalisation, a pool, or a fully-connected layer; names and order are the package's.
"use strict";

window.deepernets.anatomy = (() => {
  const BYTES = 4; // of a float32

  /** Return the side of a map after a window: ⌊(n + 2p − k) / s⌋ + 1. */
  function outputSide(side, { kernel, stride, padding }) {
    return Math.floor((side + 2 * padding - kernel) / stride) + 1;
  }

  /** Add layers one after the other, until a map has nothing left. */
  function builder(channels, side) {
    const rows = [];
    let at = { channels, side };
    const add = (row) => {
      if (rows.at(-1)?.output[1] >= 1 || !rows.length) rows.push(row);
      at = { channels: row.output[0], side: row.output[1] };
    };
    function windowed(kind, name, output, kernel, stride, padding, extra = {}) {
      const row = { kind, name, kernel, stride, padding, input: at.channels, before: at.side, ...extra };
      add({ ...row, output: [output, outputSide(at.side, row)], bias: 0, norm: 0, ...extra });
    }
    return {
      rows,
      get at() { return at; },
      set at(place) { at = place; },
      conv: (name, output, kernel, stride, extra) => windowed("conv", name, output, kernel, stride, (kernel - 1) / 2, extra),
      pool: (name, kernel, padding) => windowed("pool", name, at.channels, kernel, 2, padding),
      average: (name) => add({ kind: "average", name, input: at.channels, before: at.side, output: [at.channels, 1] }),
      linear: (name, output) =>
        add({ kind: "linear", name, input: at.channels * at.side ** 2, before: at.side, output: [output, 1] }),
    };
  }

  function vgg({ network, head }, image, tables) {
    const build = builder(image.channels, image.side);
    tables.vgg[network].split("|").forEach((block, index) => {
      const name = `block${index + 1}`;
      block.trim().split(/\s+/).forEach((layer, number) => {
        const [kernel, width] = layer.replace("conv", "").split("-").map(Number);
        build.conv(`${name}.conv${number + 1}`, width, kernel, 1, { bias: 1 });
      });
      build.pool(`${name}.pool`, 2, 0);
    });
    [...tables.heads[head], image.classes].forEach((units, index) => build.linear(`head.fc${index + 1}`, units));
    return build.rows;
  }

  function resnet({ block, repeats, widths, stem, shortcut, stride }, image, tables) {
    const build = builder(image.channels, image.side);
    const [kernel, step, pooled] = tables.stems[stem];
    build.conv("stem.conv", widths[0], kernel, step, { norm: 1 });
    if (pooled) build.pool("stem.pool", 3, 1);
    const convolutions = tables.blocks[block];
    const strided = stride === "3x3" ? convolutions.findIndex(([side]) => side === 3) : 0;
    widths.forEach((width, stage) => {
      for (let number = 1; number <= repeats[stage]; number += 1) {
        const name = `stage${stage + 1}.block${number}`;
        const halves = stage > 0 && number === 1 ? 2 : 1;
        const before = build.at;
        const branch = shortcut === "none" ? name : `${name}.branch`;
        convolutions.forEach(([side, times], index) =>
          build.conv(`${branch}.conv${index + 1}`, width * times, side, index === strided ? halves : 1, { norm: 1 }));
        const after = build.at;
        const changes = before.channels !== after.channels || halves > 1;
        if (shortcut === "C" || (shortcut === "B" && changes)) {
          build.at = before;
          build.conv(`${name}.shortcut.conv1`, after.channels, 1, halves, { norm: 1 });
        }
        build.at = after;
      }
    });
    build.average("head.pool");
    build.linear("head.fc", image.classes);
    return build.rows;
  }

  /** Return what a row costs, each with its sum written out. */
  function costs({ kind, kernel, stride, padding, input, before, output: [width, side], bias, norm }) {
    const times = (...factors) => factors.map((factor) => (typeof factor === "number" ? factor.toLocaleString("en") : factor)).join(" · ");
    const bytes = BYTES * width * side ** 2;
    const memory = { value: bytes, sum: side > 1 ? times(BYTES, width, `${side}²`) : times(BYTES, width) };
    const none = { value: 0, sum: "" };
    if (kind === "linear") {
      return {
        parameters: { value: (input + 1) * width, sum: times(`(${input.toLocaleString("en")} + 1)`, width) },
        multiplyAdds: { value: input * width, sum: times(input, width) },
        memory,
        side: { value: 1, sum: "" },
      };
    }
    if (kind === "average") return { parameters: none, multiplyAdds: none, memory, side: { value: 1, sum: `mean of ${before}²` } };
    const map = { value: side, sum: `⌊(${before} + 2 · ${padding} − ${kernel})/${stride}⌋ + 1` };
    if (kind === "pool") return { parameters: none, multiplyAdds: none, memory, side: map };
    const weights = kernel ** 2 * input * width;
    const extra = bias ? ` + ${width}` : norm ? ` + 2 · ${width}` : "";
    return {
      parameters: { value: weights + (bias + 2 * norm) * width, sum: `${times(`${kernel}²`, input, width)}${extra}` },
      multiplyAdds: { value: weights * side ** 2, sum: times(`${kernel}²`, input, width, `${side}²`) },
      memory,
      side: map,
    };
  }

  /** Return the specification of a residual network: that of the ImageNet table, or n blocks a stage for CIFAR. */
  function residual(choice, tables) {
    if (choice.network === "cifar") {
      return { ...choice, block: "basic", repeats: Array(3).fill(choice.n), widths: tables.cifarWidths, stem: "cifar" };
    }
    const [block, repeats] = tables.imagenet[choice.network];
    return { ...choice, block, repeats, widths: tables.imagenetWidths };
  }

  /** Return the rows of a network, their totals, and `dead`, the row after which no map is left, if there is one. */
  function dissect(choice, image, tables) {
    const isVgg = choice.network in tables.vgg;
    const layers = isVgg ? vgg(choice, image, tables) : resnet(residual(choice, tables), image, tables);
    const dead = layers.find(({ output }) => output[1] < 1) ?? null;
    const rows = layers.filter((layer) => layer !== dead).map((layer) => ({ ...layer, ...costs(layer) }));
    const total = (key) => rows.reduce((sum, row) => sum + row[key].value, 0);
    return { rows, dead, parameters: total("parameters"), multiplyAdds: total("multiplyAdds"), memory: total("memory") };
  }

  return { dissect };
})();
