// "Before you read on" takes the reader's guess, keeps it in this browser, and shows it with the answer.
"use strict";

(() => {
  const { element } = window.deepernets;

  /** Return what the browser keeps for a page; nothing where it keeps nothing, as for some private windows. */
  function kept(key) {
    try {
      return localStorage.getItem(key) ?? "";
    } catch {
      return "";
    }
  }

  function keep(key, text) {
    try {
      localStorage.setItem(key, text);
    } catch {
      // the guess then lasts as long as the page
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".admonition.question").forEach((box, number) => {
      const answer = box.querySelector("details");
      if (!answer) return;
      const key = `deepernets-guess:${location.pathname}:${number}`;
      const shown = element("p", { class: "explorer-guess", role: "status" });
      const show = () => { shown.textContent = input.value.trim() ? `Your guess: ${input.value.trim()}` : ""; };
      const input = element("textarea", { rows: 2, oninput: () => { keep(key, input.value); show(); } });
      input.value = kept(key);
      answer.before(element("label", { class: "explorer-guess" }, element("span", {}, "Your guess"), input));
      answer.append(shown);
      show();
    });
  });
})();
