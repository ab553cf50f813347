// Definitions of the glossary's terms, next to the links that lead there. Each link brings its definition as its title.
// The pointer or the focus shows it, the first tap, too, and Escape hides it.
"use strict";

{
  const GAP = 6; // pixels between link and definition
  const PATIENCE = 200; // milliseconds for the pointer's way from the link to the definition
  const tooltip = document.createElement("div");
  tooltip.className = "definition";
  tooltip.id = "definition";
  tooltip.role = "tooltip";
  tooltip.hidden = true;
  let link = null;
  let leaving = 0;

  const termAt = (event) => event.target.closest?.("a[data-definition]");

  function place() {
    const at = link.getClientRects()[0]; // a link on two lines has two
    const room = document.documentElement.clientWidth - tooltip.offsetWidth - GAP;
    const below = at.bottom + GAP + tooltip.offsetHeight <= innerHeight;
    tooltip.style.left = `${scrollX + Math.max(GAP, Math.min(at.left, room))}px`;
    tooltip.style.top = `${scrollY + (below ? at.bottom + GAP : at.top - GAP - tooltip.offsetHeight)}px`;
  }

  function show(term) {
    clearTimeout(leaving);
    if (link === term) return;
    hide();
    link = term;
    tooltip.textContent = term.dataset.definition;
    tooltip.hidden = false;
    term.setAttribute("aria-describedby", tooltip.id);
    place();
  }

  function hide() {
    clearTimeout(leaving);
    link?.removeAttribute("aria-describedby");
    link = null;
    tooltip.hidden = true;
  }

  function leave() {
    clearTimeout(leaving);
    leaving = setTimeout(() => document.activeElement === link || hide(), PATIENCE);
  }

  function listen() {
    let tapped = null; // the link that a tap is on and whose definition was not shown before
    document.addEventListener("pointerdown", (event) => {
      const term = termAt(event);
      tapped = event.pointerType === "touch" && term !== link ? term : null;
      if (!term && !tooltip.contains(event.target)) hide();
    });
    document.addEventListener("click", (event) => {
      if (tooltip.contains(event.target)) hide(); // not when it is pressed: the click would go to what is under it
      const term = termAt(event);
      if (!term || term !== tapped) return;
      event.preventDefault(); // the second tap follows the link
      show(term);
      tapped = null;
    });
    document.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch") return;
      const term = termAt(event);
      if (term) show(term);
      else if (tooltip.contains(event.target)) clearTimeout(leaving);
    });
    document.addEventListener("pointerout", (event) => {
      if (event.pointerType !== "touch" && (termAt(event) || tooltip.contains(event.target))) leave();
    });
    document.addEventListener("focusin", (event) => (termAt(event) ? show(termAt(event)) : hide()));
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const term of document.querySelectorAll('article a[href*="#term-"][title]:not(.headerlink)')) {
      term.dataset.definition = term.title;
      term.removeAttribute("title"); // the browser would show it, too
    }
    document.body.append(tooltip);
    listen();
  });
}
