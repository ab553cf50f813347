// Is one accuracy really higher than another? Test images, choice among several tries, and seeds.
"use strict";

(() => {
  const { asPython, choice, define, element, labelled, putInAddress, scrolling, shape, startFrom, written } =
    window.deepernets;
  const {
    expectedMaximum, gainFromImages, imagesNeeded, imagesNeededPaired, mcnemar, mcnemarBounds, pairedInterval,
    unpairedInterval, wilson,
  } = window.deepernets.statistics;
  const NAME = "is-it-real";
  const KEYS = ["first", "second", "images", "agreement", "tries", "seeds", "sd"];

  /** Return on how many images exactly one network is right: as few and as many as possible, and as agreed. */
  function disagreement(one, other, { images, agreement }) {
    const [least, most] = [Math.abs(one - other), Math.min(one + other, 2 * images - one - other)];
    if (agreement === null) return { least, most, apart: null };
    const exact = images * (1 - agreement / 100);
    const apart = least + 2 * Math.round((exact - least) / 2); // it is odd or even as the difference is
    const possible = exact > least - 1 && exact < most + 1;
    return { least, most, apart: possible ? Math.min(Math.max(apart, least), most) : null, impossible: !possible };
  }

  /** Compute all that is shown. Shares and differences are shares, not per cent. */
  function findings(state, halfWidths) {
    const { images, tries, seeds, sd } = state;
    const [one, other] = [state.first, state.second].map((percent) => Math.round((percent / 100) * images));
    const difference = (one - other) / images;
    const { least, most, apart, impossible } = disagreement(one, other, state);
    const known = apart !== null;
    const [onlyOne, onlyOther] = known ? [(apart + one - other) / 2, (apart - one + other) / 2] : [null, null];
    const [p, q, away] = [state.first / 100, state.second / 100, known ? 1 - state.agreement / 100 : null];
    const half = seeds > 1 ? halfWidths[seeds] * (sd / 100) : null;
    return {
      one, other, onlyOne, onlyOther, difference, least, most, impossible, known, half,
      intervals: [wilson(one, images), wilson(other, images)],
      unpaired: unpairedInterval(one, other, images),
      paired: known ? pairedInterval(onlyOne, onlyOther, images) : null,
      seeds: half === null ? null : [difference - half, difference + half],
      p: known ? mcnemar(onlyOne, onlyOther) : null,
      bounds: mcnemarBounds(one, other, images),
      fromImages: gainFromImages(other / images, images, tries),
      fromSeeds: expectedMaximum(tries) * (sd / 100),
      needed: p === q ? null : imagesNeeded(p, q),
      neededPaired: p === q || !known || Math.abs(p - q) > away ? null : imagesNeededPaired(away, p - q),
    };
  }

  const percent = (share) => `${(100 * share).toFixed(2)}\u00a0%`;
  const points = (share) => (100 * share).toFixed(2).replace("-", "−").replace("−0.00", "0.00");
  const fromTo = ([low, high], write) => `${write(low)} to ${write(high)}`;
  const counted = (seeds) => `${seeds} seed${seeds === 1 ? "" : "s"}`;
  const outsideZero = ([low, high]) => low > 0 || high < 0;

  /** Write a p-value with two digits: 0.25, or 9.2·10⁻¹⁰. */
  function writtenP(p) {
    if (p < 1e-300) return "less than 10⁻³⁰⁰";
    if (p >= 0.0001) return String(Number(p.toPrecision(2)));
    const [digits, power] = p.toExponential(1).split("e-");
    return `${digits}·10⁻${[...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
  }

  /** Return what the test images show of the two trained networks. */
  function aboutNetworks({ images }, { difference, p, bounds, known, impossible, least, most }) {
    const better = difference > 0 ? "first" : "second";
    const shown = `show that the ${better} network is better on images of this kind`;
    const between = `(p between ${writtenP(bounds[0])} and ${writtenP(bounds[1])})`;
    const many = `${written(images)} images`;
    if (impossible) {
      const [low, high] = [most, least].map((count) => percent(1 - count / images));
      return `With these accuracies two networks agree on ${low} to ${high} of the images. Change the agreement.`;
    }
    if (known) return `These ${many} ${p < 0.05 ? shown : "do not show which network is better"} (p = ${writtenP(p)}).`;
    if (bounds[1] < 0.05) return `Whatever the agreement is, these ${many} ${shown} ${between}.`;
    if (bounds[0] >= 0.05) return `Whatever the agreement is, these ${many} do not show which network is better ${between}.`;
    return `Whether these ${many} show a difference depends on the agreement, which is not known ${between}.`;
  }

  function aboutChoice({ tries }, { difference, fromImages, fromSeeds }) {
    if (tries === 1) return "";
    const gain = Math.max(fromImages, fromSeeds);
    const start = `The best of ${tries} networks that are all as good as the second is expected to exceed it by ${points(gain)} points.`;
    if (difference <= 0) return start;
    return `${start} ${gain >= difference ? "The choice alone explains the difference." : `The difference is ${points(difference)} points.`}`;
  }

  function aboutRecipes({ seeds, sd }, found) {
    if (seeds === 1) return "With one seed each, this says nothing about the recipes: another seed may reverse the order.";
    if (sd === 0) return "State the standard deviation over the seeds to compare the recipes.";
    const better = found.difference > 0 ? "first" : "second";
    return outsideZero(found.seeds)
      ? `Over ${counted(seeds)} the ${better} recipe is better, by ${fromTo(found.seeds.map(Math.abs).sort((a, b) => a - b), points)} points.`
      : `Over ${counted(seeds)} the recipes are not shown to differ: the interval of the difference contains 0.`;
  }

  const are = ({ first, second }, one, other) => Math.max(first, second) === one && Math.min(first, second) === other;
  const TASKS = [
    {
      text: "At 90 % and 91 %, how many test images make the difference real if each network has images of its own? " +
        "The interval must not contain 0. Use at most 7,000 images.",
      solved: (state, { unpaired }) => are(state, 91, 90) && state.images <= 7000 && outsideZero(unpaired),
      answer: ({ needed }) => `Solved. It takes about 1.96² · (0.09 + 0.0819)/0.01² = 6,604 images. To find the difference in ` +
        `four of five experiments takes twice as many: ${written(needed)}.`,
    },
    {
      text: "The same on the same images: the networks agree on 95 % of them. McNemar's p must be below 0.05. Use at most 2,300 images.",
      solved: (state, { p }) => are(state, 91, 90) && state.agreement === 95 && state.images <= 2300 && p !== null && p < 0.05,
      answer: ({ neededPaired }) => "Solved. A third of the images is enough, because only 5 % of them are uncertain, not " +
        `9 % + 8.19 %. To find the difference in four of five experiments takes ${written(neededPaired)}.`,
    },
    {
      text: "Report B's VGG-13 leads by 0.03 points on MNIST. What is the smallest number of tries whose choice alone explains this?",
      solved: ({ first, second, images, tries }, { difference, fromImages }) =>
        first === 99.65 && second === 99.62 && images === 10000 && tries > 1 && fromImages >= difference &&
        gainFromImages(0.9962, images, tries - 1) < difference,
      answer: ({ fromImages }) => `Solved. The better of two equally good networks leads by ${points(fromImages)} points on average.`,
    },
  ];

  function toPython(state, { one, other, onlyOne, onlyOther, known }) {
    const { images, tries, seeds, sd } = state;
    const pair = known ? ["mcnemar_of_counts", "paired_interval"] : ["mcnemar_bounds"];
    const names = ["binomial_interval", "expected_best", "expected_maximum", "seeds_half_width", "unpaired_interval", ...pair];
    return [
      "from deepernets.analysis.statistics import (",
      ...names.sort().map((name) => `    ${name},`),
      ")",
      "",
      `images, first, second = ${images}, ${one}, ${other}  # of the images, those that each classifies correctly`,
      "print(binomial_interval(first, images), binomial_interval(second, images))",
      "print(unpaired_interval(first, second, images))",
      ...(known
        ? [
          `only_first, only_second = ${onlyOne}, ${onlyOther}`,
          "print(paired_interval(only_first, only_second, images))",
          "print(mcnemar_of_counts(only_first, only_second))",
        ]
        : ["print(mcnemar_bounds(images - first, images - second, images))"]),
      `print(expected_best(second / images, images, tries=${tries}) - second / images)`,
      `print(expected_maximum(${tries}) * ${sd})  # points, by the choice of seeds`,
      ...(seeds > 1 ? [`print(seeds_half_width(${sd}, seeds=${seeds}))`] : []),
      "",
    ].filter((line) => seeds > 1 || !line.includes(" seeds_half_width,")).join("\n");
  }

  const toText = (state) => KEYS.map((key) => state[key] ?? "unknown").join("_");

  function fits(value, { min, max, whole }) {
    return Number.isFinite(value) && value >= min && value <= max && (!whole || Number.isInteger(value));
  }

  function fromText(text, limits) {
    const parts = text.split("_");
    if (parts.length !== KEYS.length) return null;
    const numbers = parts.map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : null));
    const state = Object.fromEntries(KEYS.map((key, index) => [key, numbers[index]]));
    const right = KEYS.every((key) => (state[key] === null ? key === "agreement" && parts[3] === "unknown" : fits(state[key], limits[key])));
    return right ? state : null;
  }

  /** Return round numbers between two others, three to six of them. */
  function ticks(low, high) {
    const rough = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
    return Array.from({ length: count }, (_, index) => (Math.ceil(low / step) + index) * step);
  }

  /** Draw intervals in rows above one axis; widths are shares of the drawing's, so that letters keep their size. */
  function drawing(title, rows, write, zero = false) {
    const ends = [...rows.flatMap(({ interval }) => interval), ...(zero ? [0] : [])];
    const [least, most] = [Math.min(...ends), Math.max(...ends)];
    const spare = Math.max((most - least) * 0.06, 1e-6);
    const [low, high] = [least - spare, most + spare];
    const at = (value) => `${((100 * (value - low)) / (high - low)).toFixed(2)}%`;
    const [pitch, bottom] = [44, 44 * rows.length + 4];
    const line = (from, to, y1, y2, name) => shape("line", { x1: at(from), x2: at(to), y1, y2, class: name });
    const anchor = (share) => (share < 0.15 ? "start" : share > 0.85 ? "end" : "middle");
    const parts = [line(low, high, bottom, bottom, "explorer-map")];
    for (const value of ticks(low, high)) {
      const place = { x: at(value), y: bottom + 20, "text-anchor": anchor((value - low) / (high - low)), class: "explorer-text" };
      parts.push(line(value, value, bottom, bottom + 5, "explorer-map"), shape("text", place, write(value)));
    }
    if (zero) parts.push(line(0, 0, 0, bottom, "explorer-edge"));
    rows.forEach(({ text, interval, middle, name }, index) => {
      const y = pitch * index + 30;
      const mark = name === "one"
        ? shape("circle", { r: 6 })
        : shape("rect", { x: -5, y: -5, width: 10, height: 10, transform: name === "other" ? "" : "rotate(45)" });
      parts.push(
        shape("text", { x: 0, y: y - 14, class: "explorer-text" }, text),
        shape("g", { class: `explorer-interval explorer-interval-${name}` },
          line(interval[0], interval[1], y, y), line(interval[0], interval[0], y - 6, y + 6), line(interval[1], interval[1], y - 6, y + 6),
          shape("svg", { x: at(middle), y, overflow: "visible" }, mark)),
      );
    });
    return shape("svg", { height: bottom + 26, role: "img", "aria-label": title }, ...parts);
  }

  define(NAME, (section, { presets, first, limits, halfWidths }) => {
    let state;
    const python = asPython();
    const table = element("tbody");
    const drawings = element("div", { class: "explorer-intervals" });
    const summary = element("p", { role: "status", class: "explorer-summary" });
    const tasks = element("ol", { class: "explorer-tasks" });
    const fields = Object.fromEntries(KEYS.map((key) => [key, field(key)]));

    function field(key) {
      const { text, min, max, whole, step } = limits[key];
      const input = element("input", { type: "number", min, max, step, inputmode: whole ? "numeric" : "decimal" });
      input.addEventListener("input", () => {
        const unknown = key === "agreement" && input.value === "" && !input.validity.badInput;
        const right = unknown || (input.value !== "" && fits(Number(input.value), limits[key]));
        input.setAttribute("aria-invalid", String(!right));
        if (!right) return;
        state[key] = unknown ? null : Number(input.value);
        update();
      });
      return { input, label: labelled(text, input) };
    }

    function show(next) {
      state = next;
      render();
    }

    function render() {
      for (const key of KEYS) {
        fields[key].input.value = state[key] ?? "";
        fields[key].input.setAttribute("aria-invalid", "false");
      }
      update();
    }

    function update() {
      const found = findings(state, halfWidths);
      summary.textContent = [aboutNetworks, aboutChoice, aboutRecipes].map((about) => about(state, found)).filter(Boolean).join(" ");
      fields.agreement.input.setAttribute("aria-invalid", String(Boolean(found.impossible)));
      drawings.replaceChildren(...drawn(found));
      table.replaceChildren(...rows(found));
      tasks.replaceChildren(...TASKS.map(({ text, solved, answer }) => {
        const done = solved(state, found);
        return element("li", { class: done ? "explorer-solved" : "" }, text,
          element("span", { role: "status" }, done ? ` ${answer(found)}` : ""));
      }));
      python.show(toPython(state, found));
      putInAddress(NAME, toText(state));
    }

    function drawn({ one, other, intervals, difference, unpaired, paired, seeds }) {
      const { images } = state;
      const differences = [
        { text: "separate images", interval: unpaired, middle: difference, name: "other" },
        ...(paired ? [{ text: "the same images", interval: paired, middle: difference, name: "one" }] : []),
        ...(seeds ? [{ text: `means over ${counted(state.seeds)}`, interval: seeds, middle: difference, name: "third" }] : []),
      ];
      return [
        drawing(`The 95 % intervals of both accuracies: ${fromTo(intervals[0], percent)}, and ${fromTo(intervals[1], percent)}.`, [
          { text: `first: ${percent(one / images)}`, interval: intervals[0], middle: one / images, name: "one" },
          { text: `second: ${percent(other / images)}`, interval: intervals[1], middle: other / images, name: "other" },
        ], (share) => `${Number((100 * share).toFixed(3))} %`),
        drawing(`The 95 % intervals of the difference in points; a dashed line marks 0. ${differences.map(({ text, interval }) =>
          `${text}: ${fromTo(interval, points)}`).join("; ")}.`,
        differences, (share) => `${Number((100 * share).toFixed(3))}`.replace("-", "−"), true),
      ];
    }

    function rows(found) {
      const { images, tries, seeds } = state;
      const { one, other, onlyOne, onlyOther, difference, intervals, unpaired, paired, known, p, bounds } = found;
      const row = (name, value, interval = "") => element("tr", {}, element("th", { scope: "row" }, name),
        element("td", {}, value), element("td", {}, interval));
      const gain = (share) => `${points(share)} points`;
      const count = (number) => (number === null ? "–" : written(number));
      const pValue = known ? `${writtenP(p)} (${written(onlyOne)} against ${written(onlyOther)})` : `${fromTo(bounds, writtenP)}`;
      return [
        row("first", `${percent(one / images)}, ${written(images - one)} wrong`, fromTo(intervals[0], percent)),
        row("second", `${percent(other / images)}, ${written(images - other)} wrong`, fromTo(intervals[1], percent)),
        row("difference, separate images", gain(difference), fromTo(unpaired, points)),
        row("difference, the same images", gain(difference), paired ? fromTo(paired, points) : "agreement not known"),
        row(`difference, means over ${counted(seeds)}`, gain(difference), found.seeds ? fromTo(found.seeds, points) : "needs two seeds"),
        row("McNemar's exact p", pValue),
        row(`best of ${tries}, by the test images`, gain(found.fromImages)),
        row(`best of ${tries}, by the seeds`, gain(found.fromSeeds)),
        row("images needed, separate", count(found.needed)),
        row("images needed, the same", count(found.neededPaired)),
      ];
    }

    const heads = ["quantity", "value", "95 % interval"].map((text) => element("th", { scope: "col" }, text));
    section.append(
      element("div", { class: "explorer-row" },
        startFrom(presets, first, show)),
      element("div", { class: "explorer-row" }, ...KEYS.map((key) => fields[key].label)),
      summary, drawings,
      scrolling("Results",
        element("table", {}, element("thead", {}, element("tr", {}, ...heads)), table), "explorer-whole"),
      element("p", {}, element("strong", {}, "Tasks")), tasks, python.box,
    );
    return { initial: () => structuredClone(presets[first]), read: (text) => fromText(text, limits), show };
  });
})();
