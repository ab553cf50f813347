// Compare one large kernel with a stack of 3×3 layers that sees as much.
"use strict";

(() => {
  const { asPython, choice, define, element, numberField, putInAddress, scrolling, shape, startFrom, written } =
    window.deepernets;
  const NAME = "kernels";
  const KEYS = ["kernel", "input", "between", "output", "groups", "side"];

  /** Return what one layer or a stack of layers costs; `widths` are the channels before, between and after. */
  function costs({ kernel, widths, groups, side }) {
    const layers = widths.slice(1).map((width, index) => (kernel ** 2 * widths[index] * width) / groups);
    const weights = layers.reduce((sum, count) => sum + count, 0);
    const depth = layers.length;
    return {
      weights,
      multiplyAdds: weights * side ** 2,
      memory: widths.slice(1).reduce((sum, width) => sum + width * side ** 2, 0),
      relus: depth,
      field: 1 + depth * (kernel - 1),
      effective: 4 * Math.sqrt((depth * (kernel ** 2 - 1)) / 12), // as in deepernets.models.receptive_field
    };
  }

  function widthsOf({ kernel, input, between, output }) {
    const depth = (kernel - 1) / 2;
    return [input, ...Array(depth - 1).fill(between), output];
  }

  function both(state) {
    const { kernel, input, output, groups, side } = state;
    return [
      costs({ kernel, widths: [input, output], groups, side }),
      costs({ kernel: 3, widths: widthsOf(state), groups, side }),
    ];
  }

  function complaint(state) {
    const wrong = ["input", "between", "output"].find((key) => state[key] % state.groups !== 0);
    return wrong ? `${state.groups} groups cannot share ${state[wrong]} channels; take a divisor of all three.` : "";
  }

  function toPython(state) {
    const { kernel, input, output, groups, side } = state;
    const conv = (from, to, k) =>
      `nn.Conv2d(${from}, ${to}, ${k}, padding=${(k - 1) / 2}, groups=${groups}, bias=False)`;
    const widths = widthsOf(state);
    return [
      "import deepernets",
      "from torch import nn",
      "",
      `large = nn.Sequential(${conv(input, output, kernel)}, nn.ReLU())`,
      "small = nn.Sequential(",
      ...widths.slice(1).map((width, index) => `    ${conv(widths[index], width, 3)},\n    nn.ReLU(),`),
      ")",
      "for network in (large, small):",
      `    multiply_adds = deepernets.count_multiply_adds(network, (${input}, ${side}, ${side}))`,
      "    print(deepernets.count_parameters(network), multiply_adds)",
      "",
    ].join("\n");
  }

  const toText = (state) => KEYS.map((key) => state[key]).join("_");

  function fromText(text, limits) {
    const numbers = text.split("_").map(Number);
    if (numbers.length !== KEYS.length) return null;
    const state = Object.fromEntries(KEYS.map((key, index) => [key, numbers[index]]));
    const inside = KEYS.every((key) => Number.isInteger(state[key]) && state[key] >= limits[key].min && state[key] <= limits[key].max);
    return inside && state.kernel % 2 === 1 ? state : null;
  }

  const TASKS = [
    {
      text: "Find channels for which the single 7×7 layer has fewer weights than three 3×3 layers.",
      solved: ({ kernel }, [large, small]) => kernel === 7 && large.weights < small.weights,
      answer: "Solved. The stack pays for its wide layers twice. This is why ResNet may begin with one 7×7 layer.",
    },
    {
      text: "Make every channel a group of its own, with at least 64 channels. What becomes of the ratio?",
      solved: ({ input, between, output, groups }) =>
        groups >= 64 && [input, between, output].every((channels) => channels === groups),
      answer: "Solved. Both sides are divided by the number of groups, so the ratio of their weights stays.",
    },
  ];

  define(NAME, (section, { presets, first, limits }) => {
    let state;
    const python = asPython();
    const inputs = element("div", { class: "explorer-row" });
    const table = element("tbody");
    const heads = element("tr");
    const summary = element("p", { role: "status", class: "explorer-summary" });
    const tasks = element("ol", { class: "explorer-tasks" });

    function show(next) {
      state = next;
      render();
    }

    function render() {
      const field = (text, key, step = 1) =>
        numberField(text, { value: state[key], ...limits[key], step }, (value) => { state[key] = value; update(); });
      inputs.replaceChildren(field("Large kernel", "kernel", 2), field("Channels in", "input"),
        field("Channels between", "between"), field("Channels out", "output"), field("Groups", "groups"),
        field("Map side", "side"));
      update();
    }

    function update() {
      const wrong = complaint(state);
      python.box.hidden = Boolean(wrong);
      if (wrong) {
        summary.textContent = wrong;
        table.replaceChildren();
        return;
      }
      const found = both(state);
      const [large, small] = found;
      const depth = (state.kernel - 1) / 2;
      heads.replaceChildren(...["", `one ${state.kernel}×${state.kernel}`, `${depth} × 3×3`, "ratio"].map((text) =>
        text ? element("th", { scope: "col" }, text) : element("td")));
      table.replaceChildren(
        row("weights", large.weights, small.weights),
        row("multiply-adds of an image", large.multiplyAdds, small.multiplyAdds),
        row("outputs kept for training", large.memory, small.memory),
        row("ReLUs in a row", large.relus, small.relus),
        row("receptive field", large.field, small.field),
        row("effective field", large.effective, small.effective),
      );
      const less = large.weights < small.weights ? "fewer" : "more";
      const share = Math.abs(large.weights / small.weights - 1) * 100;
      summary.textContent = large.weights === small.weights
        ? "Both have as many weights."
        : `The single layer has ${written(share)} % ${less} weights than the stack.`;
      tasks.replaceChildren(...TASKS.map(({ text, solved, answer }) => {
        const done = solved(state, found);
        return element("li", { class: done ? "explorer-solved" : "" }, text, element("span", { role: "status" }, done ? ` ${answer}` : ""));
      }));
      python.show(toPython(state));
      putInAddress(NAME, toText(state));
    }

    function row(name, large, small) {
      const most = Math.max(large, small);
      const cell = (value, kind) => element("td", {}, written(value), bar(value / most, kind));
      return element("tr", {}, element("th", { scope: "row" }, name), cell(large, "large"), cell(small, "small"),
        element("td", {}, written(large / small)));
    }

    function bar(share, kind) {
      return shape("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", class: "explorer-bar", "aria-hidden": "true" },
        shape("rect", { width: 100 * share, height: 6, class: `explorer-${kind}` }));
    }

    section.append(
      element("div", { class: "explorer-row" }, startFrom(presets, first, show)),
      inputs, summary,
      scrolling("Comparison", element("table", {}, element("thead", {}, heads), table), "explorer-whole"),
      element("p", {}, element("strong", {}, "Tasks")), tasks, python.box,
    );
    return { initial: () => structuredClone(presets[first]), read: (text) => fromText(text, limits), show };
  });
})();
