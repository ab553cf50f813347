// Tables, figures, code and formulas that are wider than their place say that they scroll: by a line of text at their top (in
// book.css), by a name for screen readers, and by a stop for the Tab key. The theme's logo gets the landmark it lacks.
"use strict";

(() => {
  const KINDS = {
    "#main-content .pst-scrollable-table-container": "Table",
    "#main-content .figure-box": "Figure",
    "#main-content .cell_output > .output": "Output",
    "#main-content pre": "Code",
    "#main-content div.math": "Formula",
  };
  const NAMES = new Map(); // by element, numbered: two regions of a page never have the same name

  function mark(box) {
    const moving = box.querySelector(":scope > mjx-container") ?? box; // what MathJax makes of a formula
    const scrolls = moving.scrollWidth > moving.clientWidth + 1 && getComputedStyle(moving).overflowX !== "visible";
    box.classList.toggle("scrolls", scrolls);
    if (scrolls) {
      moving.tabIndex = 0; // the theme does this for some of them, and takes it back when they fit
      moving.setAttribute("role", "region");
      moving.setAttribute("aria-label", NAMES.get(box));
    } else if (moving.getAttribute("aria-label") === NAMES.get(box)) {
      moving.removeAttribute("role");
      moving.removeAttribute("aria-label");
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const logo = document.querySelector(".bd-sidebar-primary .navbar-brand")?.parentElement;
    logo?.setAttribute("role", "navigation");
    logo?.setAttribute("aria-label", "First page");

    // Docutils gives sources a role that is deprecated, inside a list.
    for (const source of document.querySelectorAll('[role="doc-biblioentry"]')) source.setAttribute("role", "listitem");

    for (const [selector, kind] of Object.entries(KINDS)) {
      const boxes = [...document.querySelectorAll(selector)].filter((box) => !box.closest(".explorer"));
      boxes.forEach((box, number) => NAMES.set(box, `${kind} ${number + 1} of this page; scrolls sideways`));
    }
    // Called at first, when the window changes, when a toggle opens, and when a formula gets its height.
    const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => mark(target)));
    for (const box of NAMES.keys()) observer.observe(box);
  });

  // Fonts change widths alone.
  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    for (const box of NAMES.keys()) mark(box);
  });
})();
