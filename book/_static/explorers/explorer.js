// What the explorers share. A page holds <section class="explorer" data-explorer="NAME"> with its data as JSON;
// each explorer is a function that fills such a section. There is no library and no build step.
// It returns what its state is at first, how one is read from a text (null if it is none), and how one is shown.
"use strict";

window.deepernets = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const explorers = {};
  let mounting = false;

  /** Make an element: attributes by name, listeners as `onclick`, then its children, elements or text. */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    return filled(made, attributes, children);
  }

  /** Make an element of a drawing. */
  function shape(tag, attributes = {}, ...children) {
    const made = document.createElementNS(SVG, tag);
    return filled(made, attributes, children);
  }

  function filled(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  /** Make a field with its label; `value` is read from its input by the explorer. */
  function labelled(text, input) {
    return element("label", {}, element("span", {}, text), input);
  }

  /** Make a field for a number; `changed` is called with multiples of the step inside the limits only. */
  function numberField(text, { value, min, max, step = 1 }, changed) {
    const input = element("input", { type: "number", value, min, max, step, inputmode: Number.isInteger(step) ? "numeric" : "decimal" });
    input.addEventListener("input", () => {
      const number = Number(input.value);
      const right = input.value !== "" && input.checkValidity();
      input.setAttribute("aria-invalid", String(!right));
      if (right) changed(number);
    });
    return labelled(text, input);
  }

  function choice(text, options, value, changed) {
    const items = options.map(([key, name]) => element("option", { value: key, selected: key === value }, name));
    const input = element("select", { onchange: () => changed(input.value) }, ...items);
    return labelled(text, input);
  }

  /** Put a table into a region that scrolls where the screen is narrower, and then says so. */
  function scrolling(title, table, kind = "") {
    const label = `${title}; the table scrolls`;
    const box = element("div", { class: `explorer-scroll ${kind}`, tabindex: "0", role: "region", "aria-label": label }, table);
    const observer = new ResizeObserver(() => box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1));
    observer.observe(box);
    observer.observe(table);
    return box;
  }

  /** Make the choice of a state to start from; Escape brings back the first one. */
  function startFrom(presets, first, show) {
    const names = Object.keys(presets).map((name) => [name, name]);
    const made = choice("Start from", names, first, (name) => show(structuredClone(presets[name])));
    made.classList.add("explorer-start");
    return made;
  }

  const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

  /** Write a number as the book does: 75,456 or 4.31. */
  function written(number) {
    return grouped.format(number);
  }

  /** Make the Python that computes the same, with a button that copies it. */
  function asPython() {
    const code = element("code");
    const said = element("span", { role: "status" });
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        said.textContent = "Copied.";
      } catch {
        getSelection().selectAllChildren(code);
        said.textContent = "Selected: press Ctrl and C to copy.";
      }
    };
    const box = element(
      "details",
      { class: "explorer-python" },
      element("summary", {}, "The same in Python"),
      element("pre", { tabindex: "0", "aria-label": "Python code" }, code),
      element("button", { type: "button", onclick: copy }, "Copy"),
      said,
    );
    return { box, show: (text) => { code.textContent = text; said.textContent = ""; } };
  }

  /** Return what the address says of an explorer, `#explorer-NAME:STATE`, or null. */
  function stateInAddress(name) {
    const start = `#explorer-${name}:`;
    return location.hash.startsWith(start) ? location.hash.slice(start.length) : null;
  }

  /** Put the state, of letters, digits and `._`, into the address, if it is not the first; the page stays where it is. */
  function putInAddress(name, state) {
    if (!mounting) history.replaceState(null, "", `#explorer-${name}:${state}`);
  }

  function define(name, mount) {
    explorers[name] = mount;
  }

  function mount(section) {
    const name = section.dataset.explorer;
    const data = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
    const { initial, read, show } = explorers[name](section, data);
    const fromAddress = () => {
      const text = stateInAddress(name);
      return text === null ? null : read(text);
    };
    section.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      const first = section.querySelector(".explorer-start option[selected]");
      if (first) first.selected = true;
      show(initial());
    });
    window.addEventListener("hashchange", () => {
      const state = fromAddress();
      if (state) show(state);
    });
    show(fromAddress() ?? initial());
    section.classList.add("explorer-mounted"); // what it shows without JavaScript is then for print alone
    if (stateInAddress(name) !== null) section.scrollIntoView();
  }

  function mountAll() {
    mounting = true;
    document.querySelectorAll(".explorer[data-explorer]").forEach(mount);
    mounting = false;
  }

  document.addEventListener("DOMContentLoaded", mountAll);
  return { asPython, choice, define, element, labelled, numberField, putInAddress, scrolling, shape, startFrom, written };
})();
