// The figure of the first page: what a unit of VGG-16 sees, layer by layer. Without this script it shows the last layer.
"use strict";

(() => {
  const { element } = window.deepernets;
  const SECONDS_PER_LAYER = 0.45;
  const STILL = matchMedia("(prefers-reduced-motion: reduce)");

  function mount(figure) {
    const layers = JSON.parse(figure.querySelector("script").textContent);
    const squares = figure.querySelectorAll("#growth-seen rect, .growth-field");
    const bars = figure.querySelectorAll(".growth-bar");
    const summary = figure.querySelector(".growth-summary");
    const play = element("button", { type: "button", onclick: () => (frame ? stop() : start()) });
    const slider = element("input", {
      type: "range", min: 1, max: layers.length, value: layers.length, step: 1,
      oninput: () => { stop(); show(Number(slider.value)); },
    });
    let frame = 0;

    /** Show the field after so many layers; a part of a layer is on the way from the layer before. */
    function show(depth) {
      const index = Math.floor(depth) - 1;
      const [from, to] = [layers[index], layers[Math.min(index + 1, layers.length - 1)]];
      const between = (key) => from[key] + (depth - index - 1) * (to[key] - from[key]);
      for (const square of squares) {
        for (const key of ["x", "y"]) square.setAttribute(key, between("low"));
        for (const key of ["width", "height"]) square.setAttribute(key, between("field"));
      }
      bars.forEach((bar, row) => bar.classList.toggle("growth-off", row > index));
      slider.value = index + 1;
      const said = `After layer ${index + 1} of ${layers.length} (${from.name}), one unit of VGG-16 sees ` +
        `${from.field}×${from.field} of the 224×224 pixels.`;
      if (summary.textContent !== said) summary.textContent = said;
    }

    function start() {
      const begin = performance.now();
      const step = (now) => {
        const depth = 1 + Math.max(now - begin, 0) / 1000 / SECONDS_PER_LAYER;
        show(Math.min(depth, layers.length));
        if (depth < layers.length) frame = requestAnimationFrame(step);
        else stop();
      };
      frame = requestAnimationFrame(step);
      play.textContent = "Stop";
      summary.removeAttribute("role"); // a screen reader would read out every layer
    }

    function stop() {
      cancelAnimationFrame(frame);
      frame = 0;
      play.textContent = "Play";
      summary.setAttribute("role", "status");
    }

    figure.classList.add("growth-moves");
    figure.append(element("div", { class: "growth-controls" }, play,
      element("label", {}, element("span", {}, "Layer"), slider)));
    addEventListener("beforeprint", () => { stop(); show(layers.length); });
    if (STILL.matches) stop();
    else start();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const figure = document.getElementById("growing-field");
    if (figure) mount(figure);
  });
})();
