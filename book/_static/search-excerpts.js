// Sphinx's search fetches the pages that it found, to show excerpts. A page opened from a file may not fetch, so the
// search gets the pages' texts, which search-texts.js brings.
"use strict";

{
  const fetched = window.fetch;

  const nameOf = (address) => {
    const root = new URL(document.documentElement.dataset.content_root, location.href);
    return new URL(address, location.href).href.slice(root.href.length).replace(/\.html$/, "");
  };

  window.fetch = (address, ...options) => {
    const text = (window.searchTexts ?? {})[nameOf(address)];
    if (text === undefined) return fetched(address, ...options);
    return Promise.resolve(new Response(`<div role="main">${text}</div>`));
  };
}
