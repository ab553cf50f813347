// Overfitting, degradation or not converged? Errors by epoch of recorded runs, and a quiz on pairs of them.
"use strict";

(() => {
  const { asPython, choice, define, element, labelled, putInAddress, scrolling, shape } = window.deepernets;
  const NAME = "degradation";
  const CURVES = ["training", "validation"];
  const SPLITS = [...CURVES, "test"];
  const LETTERS = ["A", "B"];
  const LOOKS = [2, 1]; // of the quiz's runs, among those of the four networks
  const [HEIGHT, TOP] = [240, 10]; // of a chart, in pixels

  const percent = (error) => `${error.toFixed(2)}\u00a0%`;

  /** Return the mean of each value and those before it, over at most so many epochs. */
  function smooth(values, epochs) {
    return values.map((_, index) => {
      const part = values.slice(Math.max(0, index + 1 - epochs), index + 1);
      return part.reduce((sum, value) => sum + value, 0) / part.length;
    });
  }

  /** Draw the mark of a run: square or circle, open or full, as its number says. */
  function mark(look, size = 4) {
    const drawn = look < 2
      ? shape("rect", { x: -size, y: -size, width: 2 * size, height: 2 * size })
      : shape("circle", { r: size + 0.5 });
    drawn.setAttribute("class", look % 2 ? "explorer-mark-full" : "explorer-mark-open");
    return drawn;
  }

  /** Draw errors in per cent by epoch; widths are shares of the drawing's, so that letters keep their size. */
  function chart(title, runs, top) {
    const epochs = Math.max(2, ...runs.flatMap(({ lines }) => lines.map(({ values }) => values.length)));
    const at = (epoch) => `${((100 * (epoch - 1)) / (epochs - 1)).toFixed(2)}%`;
    const y = (error) => TOP + HEIGHT * (1 - error / top);
    const text = (x, height, anchor, written) =>
      shape("text", { x, y: height, "text-anchor": anchor, class: "explorer-text" }, written);
    const parts = [0, 1, 2, 3, 4].flatMap((step) => {
      const error = (top * step) / 4;
      return [
        shape("line", { x1: 0, x2: "100%", y1: y(error), y2: y(error), class: "explorer-grid" }),
        text(-8, y(error) + 5, "end", `${error}`),
      ];
    });
    for (const epoch of new Set([1, Math.round(epochs / 2), epochs])) {
      parts.push(text(at(epoch), HEIGHT + TOP + 20, "middle", `${epoch}`));
    }
    for (const { look, lines, test } of runs) {
      const paths = lines.map(({ curve, values }) => shape("path", {
        d: values.map((error, index) => `${index ? "L" : "M"}${index + 1} ${(y(error) - TOP).toFixed(2)}`).join(""),
        class: `explorer-error explorer-${curve}`,
      }));
      const inside = { y: TOP, width: "100%", height: HEIGHT, viewBox: `1 0 ${epochs - 1} ${HEIGHT}`, preserveAspectRatio: "none" };
      const group = shape("g", { class: `explorer-run-${look}` }, shape("svg", inside, ...paths));
      const step = Math.max(1, Math.round(epochs / 8));
      for (const { curve, values } of lines) {
        const start = 1 + Math.round((step * look) / 4);
        for (let epoch = start; epoch <= values.length; epoch += step) {
          if (values[epoch - 1] <= top) group.append(placed(at(epoch), y(values[epoch - 1]), mark(look, curve === "training" ? 4 : 3)));
        }
      }
      if (test !== undefined && test <= top) group.append(placed("100%", y(test), shape("g", { transform: "translate(14 0)" }, mark(look, 6))));
      parts.push(group);
    }
    return element("div", { class: "explorer-curves" }, element("strong", {}, "Error in per cent, by epoch"),
      shape("svg", { height: HEIGHT + TOP + 26, role: "img", "aria-label": title }, ...parts));
  }

  function placed(x, y, drawn) {
    return shape("svg", { x, y, overflow: "visible" }, drawn);
  }

  function legend(look, text, curve) {
    const path = shape("path", { d: "M0 9H36", class: `explorer-error explorer-${curve}` });
    const line = shape("g", { class: `explorer-run-${look}` }, path, shape("g", { transform: "translate(18 9)" }, mark(look, curve === "training" ? 4 : 3)));
    return element("span", {}, shape("svg", { viewBox: "0 0 36 18", width: 36, height: 18, "aria-hidden": "true" }, line), ` ${text}`);
  }

  const bits = (values) => values.map(Number).join("");

  function toText({ shown, curves, smoothing, top, pair, answer }) {
    return [bits(shown), bits(curves), smoothing, top, pair, answer].join("_");
  }

  function fromText(text, { limits, pairs, rules }) {
    const found = /^([01]{4})_([01]{3})_(\d{1,2})_(\d{1,3})_(\d{1,2})_(\d)$/.exec(text);
    if (!found) return null;
    const [shown, curves] = found.slice(1, 3).map((flags) => [...flags].map((flag) => flag === "1"));
    const [smoothing, top, pair, answer] = found.slice(3).map(Number);
    const possible = smoothing >= 1 && smoothing <= limits.smoothing && limits.tops.includes(top) &&
      pairs.some(({ number }) => number === pair) && answer <= Object.keys(rules).length;
    return possible ? { shown, curves, smoothing, top, pair, answer } : null;
  }

  /** Return the Python for the networks that are shown and, once it is diagnosed, for the pair. */
  function toPython(names, smoothing, pair) {
    const [networks, comparison] = [names.length > 0, pair !== null];
    const imports = [
      "import deepernets",
      ...(comparison ? ["from deepernets.analysis.depth import diagnosis"] : []),
      `from deepernets.results.comparison import ${[...(comparison && !pair.whole ? ["largest_comparable_group"] : []),
        ...(networks || pair?.whole ? ["whole_run"] : [])].join(", ")}`,
    ];
    const ofNetworks = [
      `for name in (${names.map((name) => `"paper/${name}", `).join("").trim()}):`,
      "    run = whole_run(name, found)",
      `    last = run.epochs[-${smoothing}:]`,
      "    for split in (\"train\", \"validation\"):",
      "        accuracy = sum(epoch[f\"{split}_accuracy\"] for epoch in last) / len(last)",
      "        print(f\"{name} {split} {100 * (1 - accuracy):.2f}\")",
      "    print(f\"{name} test {100 * (1 - run.test['accuracy']):.2f}\")",
    ];
    const ofPair = () => [
      `names = ("${pair.recipes[0]}", "${pair.recipes[1]}")`,
      ...(pair.whole
        ? ["a, b = (whole_run(name, found) for name in names)"]
        : ["short = [run for name in names for run in found if run.recipe.name == name and run.profile == \"laptop\"]",
          "a, b = largest_comparable_group(short)"]),
      "print(diagnosis(a.epochs, b.epochs))",
    ];
    return [...imports, "", "found = deepernets.load_records()", ...(networks ? ofNetworks : []), ...(comparison ? ofPair() : []), ""].join("\n");
  }

  define(NAME, (section, data) => {
    const { names, networks, missing, pairs, waiting, rules, limits, start } = data;
    const words = Object.keys(rules);
    const solved = new Set();
    let state;
    const python = asPython();
    const box = (text, checked) => {
      const input = element("input", { type: "checkbox", onchange: () => { checked(input.checked); update(); } });
      return labelled(text, input);
    };
    const group = (title, ...children) => element("fieldset", {}, element("legend", {}, title), ...children);
    const boxes = {
      shown: names.map((name, index) => box(name, (on) => { state.shown[index] = on; })),
      curves: SPLITS.map((split, index) => box(split, (on) => { state.curves[index] = on; })),
    };
    const range = element("input", {
      type: "range", min: 1, max: limits.smoothing, step: 1,
      oninput: () => { state.smoothing = Number(range.value); update(); },
    });
    const smoothing = labelled("", range);
    const top = choice("Axis up to", limits.tops.map((error) => [`${error}`, `${error} %`]), `${start.top}`, (value) => {
      state.top = Number(value);
      update();
    });
    const curves = element("div");
    const summary = element("p", { role: "status", class: "explorer-summary" });
    const asked = choice("Pair", pairs.map(({ number }, index) => [`${number}`, `${index + 1}`]), `${start.pair}`, (value) => {
      Object.assign(state, { pair: Number(value), answer: 0 });
      render();
    });
    const question = element("div");
    const answers = words.map((word, index) => element("input", { type: "radio", name: "explorer-diagnosis", value: index + 1 }));
    const verdict = element("p", { role: "status" });
    const progress = element("p");
    const check = element("form", { onsubmit: (event) => {
      event.preventDefault();
      state.answer = Number(answers.find((input) => input.checked)?.value ?? 0);
      update();
      if (!state.answer) verdict.textContent = "Choose one of the four first.";
    } },
    group("What is wrong with run B?", ...words.map((word, index) => element("label", { class: "explorer-option" }, answers[index], ` ${word}`))),
    element("button", { type: "submit" }, "Check"));

    function show(next) {
      state = next;
      render();
    }

    function render() {
      for (const [key, labels] of Object.entries(boxes)) {
        labels.forEach((label, index) => { label.lastChild.checked = state[key][index]; });
      }
      range.value = state.smoothing;
      top.lastChild.value = state.top;
      asked.lastChild.value = state.pair;
      answers.forEach((input, index) => { input.checked = state.answer === index + 1; });
      update();
    }

    function update() {
      const drawn = names.map((name, look) => ({ name, look, run: networks[look] })).filter(({ run, look }) => run && state.shown[look]);
      const pair = pairs.find(({ number }) => number === state.pair);
      const right = Boolean(pair) && words[state.answer - 1] === pair.answer;
      if (right) solved.add(pair.number);
      smoothing.firstChild.textContent = `Mean over ${state.smoothing} epoch${state.smoothing === 1 ? "" : "s"}`;
      drawNetworks(drawn);
      summary.textContent = [...drawn.map(described), missing].filter(Boolean).join(" ");
      if (pair) {
        drawPair(pair);
        verdict.textContent = right ? `Right. ${pair.reason}` : state.answer ? `No. ${rules[words[state.answer - 1]]} ${lastErrors(pair)}` : "";
        verdict.className = right ? "explorer-solved" : "";
      }
      progress.textContent = `Diagnosed: ${solved.size} of ${pairs.length} pairs. ${waiting}`;
      python.show(toPython(drawn.map(({ name }) => name), state.smoothing, right ? pair : null));
      python.box.hidden = !drawn.length && !right;
      putInAddress(NAME, toText(state));
    }

    function drawNetworks(drawn) {
      const [training, validation, test] = state.curves;
      const runs = drawn.map(({ look, run }) => ({
        look, test: test ? run.test : undefined,
        lines: CURVES.filter((curve) => (curve === "training" ? training : validation))
          .map((curve) => ({ curve, values: smooth(run[curve], state.smoothing) })),
      }));
      const title = `Error in per cent by epoch of ${drawn.map(({ name }) => name).join(", ")}. The text and the table below have the last values.`;
      const signs = [
        ...drawn.flatMap(({ name, look }) => CURVES.map((curve) => legend(look, `${name}, ${curve}`, curve))),
        element("span", {}, "Large marks on the right: test error. It is measured once, after the last epoch, so it has no curve."),
      ];
      curves.replaceChildren(...(drawn.length
        ? [chart(title, runs, state.top), element("p", { class: "explorer-legend" }, ...signs), table("Errors after the last epoch", ["network", ...SPLITS],
          drawn.map(({ name, run }) => [name, ...last(run).map(percent), percent(run.test)]))]
        : []));
    }

    const last = (run, epochs = state.smoothing) => CURVES.map((curve) => smooth(run[curve], epochs).at(-1));

    function described({ name, run }) {
      const [training, validation] = last(run).map(percent);
      const over = state.smoothing > 1 ? ` (means over ${state.smoothing} epochs)` : "";
      return `${name} ends at ${training} training and ${validation} validation error${over}, and ${percent(run.test)} test error.`;
    }

    function drawPair(pair) {
      const runs = pair.runs.map((run, index) => ({ look: LOOKS[index], lines: CURVES.map((curve) => ({ curve, values: run[curve] })) }));
      const most = Math.max(...pair.runs.flatMap((run) => CURVES.flatMap((curve) => run[curve])));
      question.replaceChildren(
        chart("Errors in per cent of the runs A and B by epoch. The table below has the last values.", runs, 20 * Math.ceil(most / 20)),
        element("p", { class: "explorer-legend" }, ...LETTERS.flatMap((letter, index) =>
          CURVES.map((curve) => legend(LOOKS[index], `run ${letter}, ${curve}`, curve)))),
        table("Errors after the last epoch of runs A and B", ["run", ...CURVES], pair.runs.map((run, index) => [LETTERS[index], ...last(run, 1).map(percent)])));
    }

    function lastErrors(pair) {
      const [[a, validationA], [b, validationB]] = pair.runs.map((run) => last(run, 1).map(percent));
      return `Run A ends with a training error of ${a} and a validation error of ${validationA}, run B with ${b} and ${validationB}.`;
    }

    function table(title, heads, rows) {
      return scrolling(title,
        element("table", {},
          element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
          element("tbody", {}, ...rows.map(([name, ...cells]) => element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((cell) => element("td", {}, cell)))))));
    }

    const whole = networks.filter(Boolean);
    boxes.shown.forEach((label, index) => { label.hidden = !networks[index]; });
    section.append(
      ...(whole.length ? [
        element("div", { class: "explorer-row" }, group("Networks", ...boxes.shown), group("Errors, %", ...boxes.curves), smoothing, top), curves,
      ] : []),
      summary,
      ...(whole.length ? [element("details", {}, element("summary", {}, "The recorded runs"),
        element("ul", {}, ...whole.map(({ label }) => element("li", {}, label))))] : []),
      ...(pairs.length ? [
        element("p", {}, element("strong", {}, "Quiz. "), "Compare run B with run A. In most pairs B is the deeper network, in the others something else " +
          "differs. The answer says what the two runs are."),
        element("div", { class: "explorer-row" }, asked), question, check, verdict,
      ] : []),
      progress, python.box,
    );
    const initial = () => {
      solved.clear();
      return structuredClone(start);
    };
    return { initial, read: (text) => fromText(text, data), show };
  });
})();
