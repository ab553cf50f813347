// Signal and gradient in a deep network at its initial weights, layer by layer, with what theory predicts.
"use strict";

(() => {
  const { asPython, choice, define, element, labelled, numberField, putInAddress, scrolling, shape, signal, startFrom } =
    window.deepernets;
  const NAME = "signal";
  const NORMALISATIONS = [["none", "none"], ["batch", "batch normalisation"]];
  const NUMBERS = ["depth", "sigma", "gamma", "seed"];
  const [WIDTH, HEIGHT] = [260, 200]; // in units of a pixel on the smallest screen

  /** Write a number of any size with three digits: 0.0312 or 1.25·10⁻⁹. */
  function digits(number) {
    if (number === 0) return "0";
    const exponent = Math.floor(Math.log10(number));
    if (exponent >= -2 && exponent < 4) return String(Number(number.toPrecision(3)));
    return `${(number / 10 ** exponent).toFixed(2)}·${powerOfTen(exponent)}`;
  }

  function powerOfTen(exponent) {
    const raised = [...String(Math.abs(exponent))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
    return `10${exponent < 0 ? "⁻" : ""}${raised}`;
  }

  const ratio = (one, other) => (one > other ? one / other : other / one);

  const TASKS = [
    {
      text: "Find the σ with which 30 layers without normalisation and shortcuts keep the responses within a factor of two of the first layer's.",
      meant: ({ depth, batch, shortcut }) => depth === 30 && !batch && !shortcut,
      off: (layers) => Math.max(...layers.slice(0, -1).map(({ std }) => ratio(std, layers[0].std))),
      limit: 2,
      answer: "Solved. Theory says √(2/n) = 0.2 for wide layers. A network of 50 units strays from it, with every seed in another way.",
    },
    {
      text: "Let 50 layers with shortcuts and without normalisation, at σ = 0.2, pass the gradient back to the first block within a factor of two. Which γ?",
      meant: ({ depth, sigma, batch, shortcut, gamma }) => depth === 50 && sigma === 0.2 && !batch && shortcut && gamma > 0,
      off: (layers) => ratio(layers[2].byResponses, layers.at(-2).byResponses), // the second layers of two blocks
      limit: 2,
      answer: "Solved. Each of the 24 blocks adds 2γ² times what it gets, so γ has to be about 1/√24 = 0.2 or less.",
    },
    {
      text: "Keep 50 layers with batch normalisation. Bring the gradient by the first layer's weights below 100 times that by the last but one's.",
      meant: ({ depth, batch }) => depth === 50 && batch,
      off: (layers) => layers[0].byWeights / layers.at(-2).byWeights,
      limit: 100,
      answer: "Solved. With shortcuts much of the gradient bypasses the normalisations.",
    },
  ];

  function toText(state) {
    return [state.depth, state.sigma, state.batch ? "batch" : "none", Number(state.shortcut), state.gamma, state.seed].join("_");
  }

  function fromText(text, limits) {
    const found = /^(\d+)_(\d(?:\.\d+)?)_(none|batch)_([01])_(\d(?:\.\d+)?)_(\d+)$/.exec(text);
    if (!found) return null;
    const [depth, sigma, , , gamma, seed] = found.slice(1).map(Number);
    const state = { depth, sigma, batch: found[3] === "batch", shortcut: found[4] === "1", gamma, seed };
    const inside = NUMBERS.every((key) => state[key] >= limits[key].min && state[key] <= limits[key].max);
    return inside && depth % 2 === 0 ? state : null;
  }

  /** Write out the factors that theory predicts. */
  function writtenOut({ sigma, batch, shortcut, gamma }, { units }) {
    const factor = units * sigma ** 2;
    if (shortcut && batch) {
      return [
        `E[F²] = γ² = ${digits(gamma ** 2)} is added in every block`,
        `backwards: √(P[s > 0] · (1 + γ² · π/(π − 1) / Var[x])) per block, closer and closer to 1`,
      ];
    }
    if (shortcut) {
      const added = digits((gamma ** 2 * factor ** 2) / 2);
      return [`E[F²] = γ² · nσ² · nσ²/2 · E[x²] = ${added} · E[x²] in every block`, `backwards: √(P[s > 0] · (1 + ${added})) per block`];
    }
    const each = `σ · √(n/2) = ${sigma} · √${units / 2} = ${digits(Math.sqrt(factor / 2))} per layer`;
    const grows = digits(Math.sqrt(Math.PI / (Math.PI - 1)));
    return batch
      ? ["forwards: 1 per layer, and σ · √(n/2) once", `backwards: √(π/(π − 1)) = ${grows} per layer, with any σ`]
      : [`forwards: ${each}`, `backwards: ${each}`];
  }

  function toPython({ depth, sigma, batch, shortcut, gamma, seed }, { units, images, classes }) {
    const normalised = batch ? "F.batch_norm(y, None, None, training=True)" : "y";
    return `import math

import torch
from torch.nn import functional as F

state = ${seed}


def uniform():
    global state
    state = 48271 * state % 2147483647  # Park and Miller
    return state / 2147483647


def normal(rows, columns):
    values = []
    while len(values) < rows * columns:  # Box and Muller
        radius = math.sqrt(-2 * math.log(uniform()))
        angle = 2 * math.pi * uniform()
        values += [radius * math.cos(angle), radius * math.sin(angle)]
    return torch.tensor(values, dtype=torch.float64).view(rows, columns)


def layer(x, width=${units}):
    w = (${sigma} * normal(width, ${units})).requires_grad_()
    y = x @ w.T
    y.retain_grad()
    weights.append(w)
    responses.append(y)
    return y


def normalise(y):
    return ${normalised}


weights, responses = [], []
for _ in range(50):
    uniform()
x = F.relu(normalise(layer(normal(${images}, ${units}))))
for _ in range(${(depth - 2) / 2}):
    branch = normalise(layer(F.relu(normalise(layer(x)))))
    x = F.relu(${shortcut ? `x + ${gamma} * branch` : "branch"})
logits = layer(x, ${classes})
labels = torch.arange(${images}) % ${classes}
F.cross_entropy(logits, labels).backward()

print("layer, std of the responses, gradient by them, gradient by the weights")
for number, (y, w) in enumerate(zip(responses, weights), 1):
    std = y.std(correction=0).item()
    print(f"{number:3} {std:.2e} {y.grad.norm():.2e} {w.grad.norm():.2e}")
`;
  }

  /** Draw lines of numbers by layer on a logarithmic axis: {values, name}; zeros and nulls leave a gap. */
  function chart(title, lines) {
    const logs = lines.flatMap(({ values }) => values.filter((value) => value > 0).map(Math.log10));
    const middle = (Math.min(...logs) + Math.max(...logs)) / 2;
    const low = Math.floor(Math.min(...logs, middle - 0.9));
    const high = Math.ceil(Math.max(...logs, middle + 0.9));
    const count = lines[0].values.length;
    const x = (index) => 44 + ((WIDTH - 54) * index) / (count - 1);
    const y = (log) => 12 + ((HEIGHT - 48) * (high - log)) / (high - low);
    const parts = [];
    const step = Math.ceil((high - low) / 5);
    for (let exponent = Math.ceil(low / step) * step; exponent <= high; exponent += step) {
      parts.push(
        shape("line", { x1: 44, x2: WIDTH - 6, y1: y(exponent), y2: y(exponent), class: "explorer-grid" }),
        shape("text", { x: 40, y: y(exponent) + 5, "text-anchor": "end", class: "explorer-text" }, powerOfTen(exponent)));
    }
    for (const index of [0, Math.round(count / 2) - 1, count - 1]) {
      parts.push(shape("text", { x: x(index), y: HEIGHT - 20, "text-anchor": "middle", class: "explorer-text" }, String(index + 1)));
    }
    parts.push(shape("text", { x: WIDTH / 2 + 20, y: HEIGHT - 3, "text-anchor": "middle", class: "explorer-text" }, "layer"));
    for (const { values, name } of lines) {
      const points = values.map((value, index) => (value > 0 ? [x(index), y(Math.log10(value))] : null));
      const path = points.map((point, index) => (point ? `${points[index - 1] ? "L" : "M"}${point.map((at) => at.toFixed(1))}` : "")).join("");
      parts.push(shape("path", { d: path, class: `explorer-line explorer-line-${name}` }));
      if (name !== "predicted") parts.push(...points.filter(Boolean).map((point) => marker(name, point)));
    }
    return shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }, ...parts);
  }

  function marker(name, [x, y]) {
    return name === "weights"
      ? shape("rect", { x: x - 2.5, y: y - 2.5, width: 5, height: 5, class: "explorer-mark-weights" })
      : shape("circle", { cx: x, cy: y, r: 2.5, class: "explorer-mark-measured" });
  }

  function legend(name, text) {
    const line = shape("path", { d: "M0 7H36", class: `explorer-line explorer-line-${name}` });
    const marks = name === "predicted" ? [] : [marker(name, [18, 7])];
    return element("span", {}, shape("svg", { viewBox: "0 0 36 14", width: 36, height: 14, "aria-hidden": "true" }, line, ...marks), ` ${text}`);
  }

  define(NAME, (section, { presets, first, limits, initialisations, network }) => {
    let state;
    const python = asPython();
    const inputs = element("div", { class: "explorer-row" });
    const charts = element("div", { class: "explorer-charts" });
    const sums = element("p", { class: "explorer-sums" });
    const summary = element("p", { role: "status", class: "explorer-summary" });
    const tasks = element("ol", { class: "explorer-tasks" });
    const table = element("tbody");

    function show(next) {
      state = next;
      render();
    }

    function render() {
      const field = (text, key) => numberField(text, { value: state[key], ...limits[key] }, (value) => { state[key] = value; update(); });
      const sigma = field("Standard deviation σ", "sigma");
      const rules = Object.entries(initialisations).map(([rule, value]) => [String(value), rule]);
      const rule = choice("Initial weights", [["", "by σ"], ...rules], String(state.sigma), (value) => {
        if (!value) return;
        state.sigma = Number(value);
        sigma.lastChild.value = value;
        sigma.lastChild.setAttribute("aria-invalid", "false");
        update();
      });
      sigma.addEventListener("input", () => {
        rule.lastChild.value = rules.some(([value]) => value === String(state.sigma)) ? String(state.sigma) : "";
      });
      const gamma = field("Last γ of a block", "gamma");
      gamma.lastChild.disabled = !state.shortcut;
      const shortcut = element("input", {
        type: "checkbox", checked: state.shortcut,
        onchange: () => { state.shortcut = shortcut.checked; gamma.lastChild.disabled = !state.shortcut; update(); },
      });
      const normalisation = choice("Normalisation", NORMALISATIONS, state.batch ? "batch" : "none", (value) => {
        state.batch = value === "batch";
        update();
      });
      inputs.replaceChildren(field("Layers", "depth"), rule, sigma, normalisation, labelled("Shortcuts", shortcut), gamma, field("Seed", "seed"));
      update();
    }

    function update() {
      const layers = signal.measure(state, network);
      const scale = layers.at(-2).byResponses;
      const predicted = signal.predict(state, network).map(({ std, byResponses }) => ({
        std, byResponses: byResponses === null ? null : byResponses * scale,
      }));
      const of = (rows, key) => rows.map((row) => row[key]);
      charts.replaceChildren(
        element("div", {}, element("strong", {}, "Standard deviation of the responses"),
          chart("The responses' standard deviation by layer, measured and predicted; the text below gives its ends.", [
            { values: of(predicted, "std"), name: "predicted" }, { values: of(layers, "std"), name: "measured" },
          ])),
        element("div", {}, element("strong", {}, "Norm of the gradient"),
          chart("The gradient's norm by layer: by the responses, predicted, and by the weights; the text below gives its ends.", [
            { values: of(predicted, "byResponses"), name: "predicted" }, { values: of(layers, "byWeights"), name: "weights" },
            { values: of(layers, "byResponses"), name: "measured" },
          ])));
      sums.textContent = writtenOut(state, network).join("\n");
      summary.textContent = described(layers, predicted);
      tasks.replaceChildren(...TASKS.map(task));
      table.replaceChildren(...layers.map((layer, index) => row(index + 1, layer, predicted[index])));
      python.show(toPython(state, network));
      putInAddress(NAME, toText(state));

      function task({ text, meant, off, limit, answer }) {
        const found = meant(state) ? off(layers) : null;
        const done = found !== null && found <= limit;
        const said = done ? ` ${answer}` : found === null ? "" : ` So far the factor is ${digits(found)}.`;
        return element("li", { class: done ? "explorer-solved" : "" }, text, element("span", { role: "status" }, said));
      }
    }

    function described(layers, predicted) {
      const last = layers.length - 2; // the layer of the logits has fewer units
      const per = (rows, key, from, to) => digits((rows[to][key] / rows[from][key]) ** (1 / last));
      const factors = (key, from, to) =>
        layers[from][key] > 0 && layers[to][key] > 0
          ? `, a factor of ${per(layers, key, from, to)} per layer; predicted: ${per(predicted, key, from, to)}`
          : "";
      return (
        `The responses go from ${digits(layers[0].std)} in layer 1 to ${digits(layers[last].std)} in layer ${last + 1}${factors("std", 0, last)}. ` +
        `Backwards, the gradient by the responses goes from ${digits(layers[last].byResponses)} to ` +
        `${digits(layers[0].byResponses)}${factors("byResponses", last, 0)}. ` +
        `The gradient by the weights is ${digits(layers[0].byWeights)} in layer 1 and ${digits(layers[last].byWeights)} in layer ${last + 1}.`
      );
    }

    function row(number, layer, predicted) {
      const cells = [layer.std, predicted.std, layer.byResponses, predicted.byResponses, layer.byWeights];
      return element("tr", {}, element("th", { scope: "row" }, String(number)),
        ...cells.map((value) => element("td", {}, value === null ? "–" : digits(value))));
    }

    const heads = ["layer", "std of the responses", "predicted", "gradient by the responses", "predicted", "gradient by the weights"];
    section.append(
      element("div", { class: "explorer-row" }, startFrom(presets, first, show)),
      inputs, charts,
      element("p", { class: "explorer-legend" }, legend("measured", "the responses, measured"),
        legend("predicted", "predicted"), legend("weights", "the gradient by the weights")),
      summary, sums,
      element("details", {}, element("summary", {}, "The numbers of every layer"),
        scrolling("Numbers by layer",
          element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))), table))),
      element("p", {}, element("strong", {}, "Tasks")), tasks, python.box,
    );
    return { initial: () => structuredClone(presets[first]), read: (text) => fromText(text, limits), show };
  });
})();
