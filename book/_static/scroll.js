// A figure that is wider than its column can be reached and scrolled by keyboard, and a hint under it says so.
"use strict";

function tellScrolling(box) {
  const scrolls = box.scrollWidth > box.clientWidth + 1;
  box.classList.toggle("scrolls", scrolls);
  if (scrolls) {
    box.setAttribute("tabindex", "0");
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Figure, scrolls sideways");
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
}

const boxSizes = new ResizeObserver((changes) => changes.forEach(({ target }) => tellScrolling(target)));
document.querySelectorAll(".figure-box").forEach((box) => boxSizes.observe(box));
