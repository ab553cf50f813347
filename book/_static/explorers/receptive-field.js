// Build a network layer by layer, and see what one of its units sees.
"use strict";

(() => {
  const { asPython, choice, define, element, labelled, numberField, putInAddress, scrolling, shape, startFrom, written } =
    window.deepernets;
  const NAME = "receptive-field";
  const PIXEL = { field: 1, jump: 1, start: 0, variance: 0 };
  const STDS_PER_SIDE = 4; // as in deepernets.models.receptive_field
  const WIDEST = 40; // pixels in which single units are drawn

  /** Return field, jump, start and map side after each layer of {kind, kernel, stride, padding, dilation}. */
  function follow(layers, image) {
    let before = { ...PIXEL, side: image };
    return layers.map(({ kernel, stride, padding, dilation }) => {
      const span = dilation * (kernel - 1);
      before = {
        field: before.field + span * before.jump,
        jump: before.jump * stride,
        start: before.start + (span / 2 - padding) * before.jump,
        // Luo et al. (2016): the energy spreads evenly over k units, dilation · jump pixels apart
        variance: before.variance + ((kernel ** 2 - 1) / 12) * (dilation * before.jump) ** 2,
        side: Math.floor((before.side + 2 * padding - span - 1) / stride) + 1,
      };
      return before;
    });
  }

  /** Return the first and the last unit of each map, pixels first, that a unit of the last map sees. */
  function cone(layers, unit) {
    const seen = [[unit, unit]];
    for (const { kernel, stride, padding, dilation } of [...layers].reverse()) {
      const [first, last] = seen[0];
      seen.unshift([first * stride - padding, last * stride - padding + dilation * (kernel - 1)]);
    }
    return seen;
  }

  /** Return weights in units of C², for layers with C channels in and out; pools have none. */
  function weights(layers) {
    return layers.reduce((sum, { kind, kernel }) => sum + (kind === "conv" ? kernel ** 2 : 0), 0);
  }

  /** Return whether the layers are what the task asks for, and if not, why. */
  function judged(layers, places, task) {
    const last = places.at(-1);
    if (!last || last.field < task.field) return `The field is ${last ? last.field : 1} pixels wide so far.`;
    if (layers.some(({ kind }) => kind !== "conv")) return "The task is for convolutions alone.";
    if (layers.some(({ dilation }) => dilation > 1)) return "The task is for dilation 1.";
    if (layers.some(({ kernel, stride }) => stride > kernel)) {
      return "A stride larger than its kernel leaves pixels out that no unit sees.";
    }
    if (last.side < task.map) return `The last map is ${last.side}×${last.side}; it must keep ${task.map}×${task.map}.`;
    const count = weights(layers);
    if (count > task.weights) return `Reached with ${written(count)} C² weights. It can be done with fewer.`;
    return "";
  }

  function toText({ image, layers, selected, unit }) {
    const rows = layers.map((l) => `${l.kind === "conv" ? "c" : "p"}${l.kernel}.${l.stride}.${l.padding}.${l.dilation}`);
    return [image, selected, unit, ...rows].join("_");
  }

  function fromText(text) {
    const [image, selected, unit, ...rows] = text.split("_");
    const layers = rows.map((row) => {
      const found = /^([cp])(\d{1,2})\.(\d{1,2})\.(\d{1,2})\.(\d{1,2})$/.exec(row);
      if (!found) return null;
      const [kernel, stride, padding, dilation] = found.slice(2).map(Number);
      const possible = kernel && stride && dilation;
      return possible ? { kind: found[1] === "c" ? "conv" : "pool", kernel, stride, padding, dilation } : null;
    });
    const numbers = [image, selected, unit].map(Number);
    if (layers.includes(null) || !numbers.every((n) => Number.isInteger(n) && n >= 0 && n <= 1024) || !numbers[0]) return null;
    return { image: numbers[0], selected: Math.min(numbers[1], layers.length), unit: numbers[2], layers };
  }

  function toPython({ image, layers }) {
    const rows = layers.map(({ kind, kernel, stride, padding, dilation }) => {
      const options = `stride=${stride}, padding=${padding}, dilation=${dilation}`;
      return kind === "conv" ? `    nn.Conv2d(1, 1, ${kernel}, ${options}),` : `    nn.MaxPool2d(${kernel}, ${options}),`;
    });
    return [
      "import deepernets",
      "from torch import nn",
      "",
      "network = nn.Sequential(",
      ...rows,
      ")",
      `fields = deepernets.receptive_field(network, (1, ${image}, ${image}))`,
      "print(fields)",
      "",
    ].join("\n");
  }

  define(NAME, (section, { presets, first, task }) => {
    let state;
    const python = asPython();
    const list = element("tbody");
    const drawing = element("div", { class: "explorer-drawings" });
    const sums = element("p", { class: "explorer-sums" });
    const summary = element("p", { role: "status", class: "explorer-summary" });
    const verdict = element("p", { role: "status" });
    const editor = element("fieldset", {}, element("legend", {}, "The chosen layer"));
    const wide = element("input", { type: "checkbox", onchange: draw });
    const unit = element("input", {
      type: "range", min: 0, step: 1,
      oninput: () => { state.unit = Number(unit.value); draw(); },
    });

    const starts = Object.fromEntries(Object.entries(presets).map(([name, preset]) => {
      const start = { ...preset, selected: preset.layers.length };
      return [name, { ...start, unit: middle(start) }];
    }));

    function middle({ image, layers, selected }) {
      const place = follow(layers, image)[selected - 1];
      return place ? Math.floor(place.side / 2) : Math.floor(image / 2);
    }

    function change(edit) {
      edit();
      state.selected = Math.min(state.selected, state.layers.length);
      state.unit = middle(state);
      render();
    }

    function show(next) {
      state = next;
      render();
    }

    function add() {
      change(() => {
        const copied = state.layers[state.selected - 1] ?? { kind: "conv", kernel: 3, stride: 1, padding: 1, dilation: 1 };
        state.layers.splice(state.selected, 0, { ...copied, name: undefined });
        state.selected += 1;
      });
    }

    function remove() {
      change(() => { state.layers.splice(state.selected - 1, 1); });
    }

    function move(by) {
      const from = state.selected - 1;
      if (from < 0 || from + by < 0 || from + by >= state.layers.length) return;
      change(() => {
        const [layer] = state.layers.splice(from, 1);
        state.layers.splice(from + by, 0, layer);
        state.selected += by;
      });
    }

    function render() {
      const focused = document.activeElement?.dataset?.field;
      const layer = state.layers[state.selected - 1];
      editor.replaceChildren(editor.firstChild, ...(layer ? fields(layer) : []), buttons());
      if (focused) editor.querySelector(`[data-field="${focused}"]`)?.focus();
      update();
    }

    /** Redraw all but the editor, in which somebody may be typing. */
    function update() {
      const choosing = list.contains(document.activeElement);
      const places = follow(state.layers, state.image);
      list.replaceChildren(row(0, "pixels", { ...PIXEL, side: state.image }));
      state.layers.forEach((layer, index) => list.append(row(index + 1, label(layer), places[index])));
      if (choosing) list.querySelector("input[checked]").focus(); // its row is a new one
      draw();
    }

    function label({ kind, kernel, stride, dilation, name }) {
      const extra = `${stride > 1 ? `, stride ${stride}` : ""}${dilation > 1 ? `, dilation ${dilation}` : ""}`;
      return `${name ? `${name}: ` : ""}${kind === "conv" ? "conv" : "pool"} ${kernel}×${kernel}${extra}`;
    }

    function row(index, text, { field, jump, start, side }) {
      const input = element("input", {
        type: "radio", name: "explorer-layer", checked: index === state.selected,
        onchange: () => change(() => { state.selected = index; }),
      });
      const numbers = [field, jump, start, side].map((number) => element("td", {}, written(number)));
      return element("tr", {}, element("th", { scope: "row" }, element("label", {}, input, ` ${text}`)), ...numbers);
    }

    function fields(layer) {
      const number = (text, key, max) => {
        const made = numberField(text, { value: layer[key], min: key === "padding" ? 0 : 1, max }, (value) => {
          layer[key] = value;
          layer.name = undefined;
          if (layer.kind === "pool") layer.padding = Math.min(layer.padding, Math.floor(layer.kernel / 2)); // PyTorch's limit
          state.unit = middle(state);
          update();
        });
        made.lastChild.dataset.field = key;
        return made;
      };
      const kind = choice("Kind", [["conv", "convolution"], ["pool", "pool"]], layer.kind, (value) =>
        change(() => { layer.kind = value; layer.name = undefined; }));
      return [kind, number("Kernel", "kernel", 15), number("Stride", "stride", 8), number("Padding", "padding", 15),
        number("Dilation", "dilation", 16)];
    }

    function buttons() {
      const button = (text, action) => element("button", { type: "button", "data-field": text, onclick: action }, text);
      return element("div", { class: "explorer-buttons" }, button("Add a layer", add), button("Remove", remove),
        button("Earlier", () => move(-1)), button("Later", () => move(1)));
    }

    function draw() {
      const layers = state.layers.slice(0, state.selected);
      const places = [{ ...PIXEL, side: state.image }, ...follow(layers, state.image)];
      const place = places.at(-1);
      const impossible = places.some(({ side }) => side < 1);
      unit.max = Math.max(place.side - 1, 0);
      unit.value = state.unit;
      const centre = place.start + state.unit * place.jump;
      const reach = [centre - (place.field - 1) / 2, centre + (place.field - 1) / 2];
      const inside = Math.max(0, Math.min(reach[1], state.image - 1) - Math.max(reach[0], 0) + 1);
      const padding = 1 - (inside / place.field) ** 2;
      const effective = STDS_PER_SIDE * Math.sqrt(place.variance);
      drawing.replaceChildren(side(layers, places), front(reach, effective, centre));
      sums.textContent = written_out(layers.at(-1), places.at(-2), place);
      summary.textContent = impossible
        ? "The image is too small for these layers: take a smaller kernel or stride, or more padding."
        : `The unit in row and column ${state.unit} of the ${place.side}×${place.side} map sees ` +
          `${written(place.field)}×${written(place.field)} pixels, in rows and columns ${written(reach[0])} to ` +
          `${written(reach[1])}. ${Math.round(100 * padding)} % of them are padding. With random weights it uses ` +
          `about ${written(effective)} pixels along each side.`;
      const wrong = judged(state.layers, follow(state.layers, state.image), task);
      const count = weights(state.layers);
      verdict.textContent = wrong || `Solved: ${count} C² = ${written(count * task.channels ** 2)} weights with C = ${task.channels}.`;
      verdict.className = wrong ? "explorer-verdict" : "explorer-verdict explorer-solved";
      python.show(toPython(state));
      putInAddress(NAME, toText(state));
    }

    function written_out(layer, before, after) {
      if (!layer) return "A pixel sees itself: r = 1, j = 1, a = 0.";
      const { kernel, stride, padding, dilation } = layer;
      const minus = (number) => (number < 0 ? `(${written(number)})` : written(number));
      return [
        `r = ${before.field} + ${dilation} · (${kernel} − 1) · ${before.jump} = ${after.field}`,
        `j = ${stride} · ${before.jump} = ${after.jump}`,
        `a = ${minus(before.start)} + (${dilation} · (${kernel} − 1)/2 − ${padding}) · ${before.jump} = ${written(after.start)}`,
      ].join("\n");
    }

    /** Draw maps as lines, pixels at the bottom, and the units that the chosen unit sees on each. */
    function side(layers, places) {
      const seen = cone(layers, state.unit);
      const at = (level, index) => places[level].start + index * places[level].jump;
      const [low, high] = [at(0, seen[0][0]), at(0, seen[0][1])];
      const margin = Math.max(2, (high - low) / 6);
      const from = wide.checked ? Math.min(-2, low) : low - margin;
      const to = wide.checked ? Math.max(state.image + 1, high) : high + margin;
      const width = Math.min(340, drawing.clientWidth || 340); // a letter is never smaller than it is drawn
      const step = Math.max(5, Math.min(34, 300 / Math.max(layers.length, 1)));
      const height = 44 + step * layers.length;
      const x = (pixel) => 6 + ((pixel - from) / (to - from)) * (width - 12);
      const y = (level) => height - 26 - step * level;
      const parts = [];
      seen.forEach(([first, last], level) => {
        const ends = [x(at(level, first)), x(at(level, last))];
        if (level > 0) {
          const [left, right] = seen[level - 1].map((index) => x(at(level - 1, index)));
          const points = `${ends[0]},${y(level)} ${ends[1]},${y(level)} ${right},${y(level - 1)} ${left},${y(level - 1)}`;
          parts.push(shape("polygon", { points, class: "explorer-cone" }));
        }
        const edges = [x(at(level, 0)), x(at(level, places[level].side - 1))];
        const [start, end] = edges.map((edge) => Math.min(Math.max(edge, 0), width));
        parts.push(shape("line", { x1: start, x2: end, y1: y(level), y2: y(level), class: "explorer-map" }));
        parts.push(shape("line", { x1: ends[0], x2: ends[1], y1: y(level), y2: y(level), class: "explorer-seen" }));
        if ((to - from) / places[level].jump <= WIDEST && step > 8) {
          for (let index = first; index <= last; index += 1) {
            const outside = index < 0 || index >= places[level].side;
            const name = outside ? "explorer-zero" : "explorer-unit";
            parts.push(shape("circle", { cx: x(at(level, index)), cy: y(level), r: 3, class: name }));
          }
        }
      });
      for (const edge of [-0.5, state.image - 0.5].filter((pixel) => pixel > from && pixel < to)) {
        parts.push(shape("line", { x1: x(edge), x2: x(edge), y1: 4, y2: height - 20, class: "explorer-edge" }));
      }
      parts.push(shape("text", { x: 6, y: height - 6, class: "explorer-text" }, `pixel ${Math.round(from)}`));
      parts.push(shape("text", { x: width - 6, y: height - 6, "text-anchor": "end", class: "explorer-text" }, `${Math.round(to)}`));
      const title = `Side view: unit ${state.unit} of map ${layers.length}, and what it sees on every map down to the pixels.`;
      return shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, ...parts);
    }

    /** Draw the image with the unit's field, dashed where it lies outside, and the effective field. */
    function front(reach, effective, centre) {
      const low = Math.min(0, reach[0]) - 2;
      const high = Math.max(state.image, reach[1] + 1) + 2;
      const scale = 200 / (high - low);
      const at = (pixel) => (pixel - low) * scale;
      const square = (from, to, name) => shape("rect", {
        x: at(from), y: at(from), width: (to - from) * scale, height: (to - from) * scale, class: name,
      });
      const title = `The ${state.image}×${state.image} image, the unit's field and, as a circle, its effective field.`;
      return shape("svg", { viewBox: "0 0 200 200", role: "img", "aria-label": title },
        square(0, state.image, "explorer-image"), square(reach[0], reach[1] + 1, "explorer-field"),
        shape("circle", { cx: at(centre + 0.5), cy: at(centre + 0.5), r: Math.max((effective / 2) * scale, 1), class: "explorer-effective" }));
    }

    const heads = ["layer", "field r", "jump j", "start a", "map side"].map((text) => element("th", { scope: "col" }, text));
    section.append(
      element("div", { class: "explorer-row" }, startFrom(starts, first, show),
        labelled("Unit", unit), labelled("Whole image", wide)),
      drawing, summary,
      scrolling("Layers",
        element("table", {}, element("thead", {}, element("tr", {}, ...heads)), list)),
      sums, editor,
      element("p", {}, element("strong", {}, "Task. "), task.text), verdict, python.box,
    );
    return { initial: () => structuredClone(starts[first]), read: fromText, show };
  });
})();
