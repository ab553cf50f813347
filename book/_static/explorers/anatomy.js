// Two networks side by side: parameters, work, memory and map sizes, layer by layer.
"use strict";

(() => {
  const { anatomy, asPython, choice, define, element, numberField, putInAddress, scrolling, shape, startFrom, written } =
    window.deepernets;
  const NAME = "anatomy";
  const IMAGE = ["side", "channels", "classes"];
  const OPTIONS = ["network", "head", "stem", "shortcut", "stride", "n"];
  const QUANTITIES = {
    parameters: "parameters", multiplyAdds: "multiply-adds", memory: "bytes of its output", side: "side of its map",
  };
  const UNITS = { memory: "bytes", side: "pixels" };
  const CHOICES = {
    head: [["paper", "4096, 4096, classes"], ["cifar", "classes alone"]],
    stem: [["imagenet", "7×7, stride 2, pool"], ["cifar", "3×3, stride 1"]],
    shortcut: [["A", "A: zeros"], ["B", "B: projection"], ["C", "C: all projections"], ["none", "none (plain)"]],
    stride: [["1x1", "first 1×1 (v1)"], ["3x3", "3×3 (v1.5)"]],
  };
  const LABELS = { head: "Head", stem: "Stem", shortcut: "Shortcuts", stride: "Stride in the" };

  const TASKS = [
    {
      text: "Give a VGG an image of 28×28. Which layer's map vanishes? Then find the smallest image that VGG accepts.",
      solved: ({ sides, state }) => state.image.side === 32 && sides.some(({ found, vgg }) => vgg && !found.dead),
      answer: "Solved. Five pools halve 32 pixels to 1, and 31 pixels to 0.",
    },
    {
      text: "Find two networks of equal parameters and different multiply-adds.",
      solved: ({ sides: [left, right] }) =>
        !left.found.dead && !right.found.dead && left.found.parameters === right.found.parameters &&
        left.found.multiplyAdds !== right.found.multiplyAdds,
      answer: "Solved. A stride changes how often a weight is used, and not how many weights there are.",
    },
  ];

  /** Count the layers with weights of a VGG: its convolutions and three fully-connected layers. */
  const depthOf = (layers) => layers.split("conv").length - 1 + 3;

  /** Return which options a network has. */
  function optionsOf({ network }, tables) {
    if (network in tables.vgg) return ["head"];
    if (network === "cifar") return ["shortcut", "n"];
    return tables.imagenet[network][0] === "bottleneck" ? ["stem", "shortcut", "stride"] : ["stem", "shortcut"];
  }

  function titleOf(side, tables) {
    if (side.network in tables.vgg) return `VGG ${side.network}`;
    const depth = side.network === "cifar" ? 6 * side.n + 2 : side.network;
    return `${side.shortcut === "none" ? "plain" : "ResNet"}-${depth}`;
  }

  function toText({ image, left, right, shown }) {
    const texts = [left, right].map((side) => OPTIONS.map((key) => side[key]).join("."));
    return [...IMAGE.map((key) => image[key]), ...texts, shown].join("_");
  }

  function fromText(text, { limits, tables }) {
    const parts = text.split("_");
    if (parts.length !== 6 || !Object.hasOwn(QUANTITIES, parts[5])) return null;
    const image = Object.fromEntries(IMAGE.map((key, index) => [key, Number(parts[index])]));
    const sides = parts.slice(3, 5).map((part) => {
      const words = part.split(".");
      const side = Object.fromEntries(OPTIONS.map((key, index) => [key, words[index]]));
      return { ...side, n: Number(side.n) };
    });
    const inside = (value, key) => Number.isInteger(value) && value >= limits[key].min && value <= limits[key].max;
    const known = ({ network }) => Object.hasOwn(tables.vgg, network) || Object.hasOwn(tables.imagenet, network) || network === "cifar";
    const right = sides.every((side) => known(side) && inside(side.n, "n") &&
      Object.entries(CHOICES).every(([key, options]) => options.some(([value]) => value === side[key])));
    return right && IMAGE.every((key) => inside(image[key], key))
      ? { image, left: sides[0], right: sides[1], shown: parts[5] }
      : null;
  }

  /** Return the call that builds a network. */
  function built(side, tables) {
    const own = optionsOf(side, tables);
    const plain = side.shortcut === "none";
    const changes = [];
    let name = `${plain ? "plain" : "resnet"}-`;
    if (own.includes("head")) name = `vgg-${side.network.toLowerCase()}${side.head === "cifar" ? "-cifar" : ""}`;
    else if (own.includes("stem")) name += `${side.network}${side.stem === "cifar" ? "-cifar" : ""}`;
    else {
      name += "20";
      changes.push(`repeats=(${Array(3).fill(side.n).join(", ")})`);
    }
    if (own.includes("shortcut") && !plain) changes.push(`shortcut="${side.shortcut}"`);
    if (own.includes("stride")) changes.push(`stride_in="${side.stride}"`);
    return `    deepernets.build_model(${[`"${name}"`, "image", "classes", ...changes].join(", ")}),`;
  }

  function toPython(sides, { side, channels, classes }, tables) {
    return [
      "import deepernets", "import torch", "",
      `image, classes = (${channels}, ${side}, ${side}), ${classes}`,
      'with torch.device("meta"):  # shapes without memory', "    networks = [",
      ...sides.filter(({ found }) => !found.dead).map((each) => `    ${built(each.choice, tables)}`),
      "    ]", "",
      "for network in networks:",
      "    print(deepernets.count_parameters(network), deepernets.count_multiply_adds(network, image))",
      "tables = [deepernets.summary(network, image) for network in networks]", "",
    ].join("\n");
  }

  define(NAME, (section, data) => {
    const { presets, first, limits, tables } = data;
    let state;
    const python = asPython();
    const image = element("div", { class: "explorer-row" });
    const editors = element("div", { class: "explorer-sides" });
    const drawings = element("div", { class: "explorer-sides" });
    const summary = element("p", { role: "status", class: "explorer-summary" });
    const totals = element("tbody", { class: "explorer-totals" });
    const heads = element("tr");
    const layers = element("div");
    const tasks = element("ol", { class: "explorer-tasks" });
    const networks = [
      ...Object.keys(tables.vgg).map((name) => [name, `VGG ${name} (VGG-${depthOf(tables.vgg[name])})`]),
      ...Object.keys(tables.imagenet).map((depth) => [depth, `ResNet-${depth}`]),
      ["cifar", "ResNet of depth 6n + 2"],
    ];

    function show(next) {
      state = next;
      shown.lastChild.value = state.shown;
      render();
    }

    function render() {
      const number = (text, key, target) =>
        numberField(text, { value: target[key], ...limits[key] }, (value) => { target[key] = value; update(); });
      image.replaceChildren(number("Side of the image", "side", state.image), number("Channels", "channels", state.image),
        number("Classes", "classes", state.image));
      editors.replaceChildren(...["left", "right"].map((place) => {
        const side = state[place];
        const box = element("fieldset", {}, element("legend", {}, place === "left" ? "First network" : "Second network"));
        const network = choice("Network", networks, side.network, (value) => {
          side.network = value;
          render();
          editors.querySelectorAll("fieldset")[place === "left" ? 0 : 1].querySelector("select").focus(); // it is a new one
        });
        const options = optionsOf(side, tables).map((key) => key === "n"
          ? number("n", "n", side)
          : choice(LABELS[key], CHOICES[key], side[key], (value) => { side[key] = value; update(); }));
        box.append(network, ...options);
        return box;
      }));
      update();
    }

    function update() {
      const sides = [state.left, state.right].map((side) => ({
        choice: side, vgg: side.network in tables.vgg, title: titleOf(side, tables), found: anatomy.dissect(side, state.image, tables),
      }));
      const [left, right] = sides;
      heads.replaceChildren(...["one image", left.title, right.title, "ratio"].map((text) => element("th", { scope: "col" }, text)));
      totals.replaceChildren(total("parameters", "parameters"), total("multiply-adds", "multiplyAdds"), total("bytes of all outputs", "memory"));
      const most = Math.max(...sides.flatMap(({ found }) => found.rows.map((row) => row[state.shown].value)), 1);
      drawings.replaceChildren(...sides.map((side) => bars(side, most)));
      layers.replaceChildren(...sides.map(table));
      summary.textContent = sides.map(described).join(" ");
      tasks.replaceChildren(...TASKS.map(({ text, solved, answer }) => {
        const done = solved({ sides, state });
        return element("li", { class: done ? "explorer-solved" : "" }, text, element("span", { role: "status" }, done ? ` ${answer}` : ""));
      }));
      python.box.hidden = sides.every(({ found }) => found.dead);
      python.show(toPython(sides, state.image, tables));
      putInAddress(NAME, toText(state));

      function total(name, key) {
        const cell = ({ found }) => element("td", {}, found.dead ? "–" : written(found[key]));
        const ratio = left.found.dead || right.found.dead ? "–" : written(left.found[key] / right.found[key]);
        return element("tr", {}, element("th", { scope: "row" }, name), cell(left), cell(right), element("td", {}, ratio));
      }
    }

    function described({ title, found: { rows, dead, parameters, multiplyAdds } }) {
      if (dead) {
        return `${title} does not accept ${state.image.side}×${state.image.side} pixels: ${dead.name} gets a map of ` +
          `${dead.before}×${dead.before}, on which its ${dead.kernel}×${dead.kernel} window does not fit, and the map vanishes.`;
      }
      const last = rows.filter(({ kind }) => kind === "conv" || kind === "pool").at(-1);
      return `${title} has ${written(parameters / 1e6)} million parameters and takes ${written(multiplyAdds / 1e9)} billion ` +
        `multiply-adds. Its last map is ${last.output[1]}×${last.output[1]}.`;
    }

    /** Draw a bar for each layer, on the scale of both networks. */
    function bars({ title, found: { rows, dead } }, most) {
      const [width, height, places] = [260, 120, rows.length + (dead ? 1 : 0)];
      const step = width / places;
      const parts = rows.map((row, index) => {
        const length = (row[state.shown].value / most) * (height - 4);
        const name = row.name.includes("shortcut") ? "small" : "large";
        return shape("rect", { x: index * step, y: height - length, width: Math.max(step * 0.8, 0.8), height: length, class: `explorer-${name}` });
      });
      if (dead) parts.push(shape("text", { x: width - 8, y: height - 4, "text-anchor": "middle", class: "explorer-text" }, "✗"));
      parts.push(shape("line", { x1: 0, x2: width, y1: height, y2: height, class: "explorer-map" }));
      const label = `${title}: ${QUANTITIES[state.shown]} of each layer, from the image on the left to the classes on the right. The table has the numbers.`;
      return element("div", {}, element("strong", {}, title),
        shape("svg", { viewBox: `0 0 ${width} ${height + 1}`, role: "img", "aria-label": label }, ...parts),
        note(`full height: ${written(most)} ${UNITS[state.shown] ?? QUANTITIES[state.shown]}`));
    }

    function table({ title, found: { rows, dead } }) {
      const cell = ({ value, sum }) => element("td", {}, written(value), note(sum));
      const body = rows.map((row) => element("tr", {}, element("th", { scope: "row" }, row.name, note(windowOf(row))),
        element("td", {}, sizeOf(row), note(row.side.sum)), cell(row.parameters), cell(row.multiplyAdds), cell(row.memory)));
      if (dead) {
        body.push(element("tr", { class: "explorer-dead" }, element("th", { scope: "row" }, `✗ ${dead.name}`),
          element("td", { colspan: 4 }, `its window of ${dead.kernel}×${dead.kernel} does not fit on ${dead.before}×${dead.before}`)));
      }
      const columns = ["layer", "output", "parameters", "multiply-adds", "bytes"].map((text) => element("th", { scope: "col" }, text));
      return element("div", {}, element("strong", {}, `Layers of ${title}`),
        scrolling(`Layers of ${title}`,
          element("table", {}, element("thead", {}, element("tr", {}, ...columns)), element("tbody", {}, ...body))));
    }

    function note(text) {
      return element("span", { class: "explorer-note" }, text);
    }

    function sizeOf({ kind, output: [width, side] }) {
      return kind === "linear" ? written(width) : `${written(width)}×${side}×${side}`;
    }

    function windowOf({ kind, kernel, stride }) {
      if (kind === "linear") return "fully connected";
      if (kind === "average") return "average";
      return `${kind === "pool" ? "max-pool" : "conv"} ${kernel}×${kernel}${stride > 1 ? `, stride ${stride}` : ""}`;
    }

    const shown = choice("Bars show", Object.entries(QUANTITIES), presets[first].shown, (value) => { state.shown = value; update(); });
    section.append(
      element("div", { class: "explorer-row" }, startFrom(presets, first, show)),
      image, editors, summary,
      scrolling("Both networks",
        element("table", {}, element("thead", {}, heads), totals)),
      shown, drawings, layers,
      element("p", {}, element("strong", {}, "Tasks")), tasks, python.box,
    );
    return { initial: () => structuredClone(presets[first]), read: (text) => fromText(text, data), show };
  });
})();
