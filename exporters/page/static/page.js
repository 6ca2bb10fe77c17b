// Live pages: what the service renders anew replaces what stands here. Without this the page is
// the same, and stands still.
"use strict";

(() => {
  document.documentElement.classList.add("js");
  const source = document.body.dataset.events;
  if (!source || !window.EventSource) return;

  const SILENCE_MS = 40_000; // two heartbeats and a half
  const AGAIN_MS = 10_000;
  const live = document.getElementById("live");
  let stream = null;
  let silence = 0;
  let again = 0;

  function say(words, away) {
    live.hidden = false;
    live.classList.toggle("away", away);
    if (live.textContent !== words) live.textContent = words;
  }

  function heard() {
    say("Live", false);
    clearTimeout(silence);
    silence = setTimeout(retry, SILENCE_MS);
  }

  function leave() {
    if (stream) stream.close();
    stream = null;
    clearTimeout(silence);
    clearTimeout(again);
  }

  function retry() {
    leave();
    say("Not live: what stands here may be old", true);
    // Scattered, so that the tabs of a restarted service don't come all at once.
    again = setTimeout(open, AGAIN_MS * (0.5 + Math.random()));
  }

  function replace(part) {
    const place = document.getElementById("part-" + part.id);
    if (!place || place.dataset.version === part.version) return;
    const opened = [...place.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key);
    const focused = place.contains(document.activeElement) ? document.activeElement : null;
    const path = focused && focused.dataset.path;
    place.innerHTML = part.html; // the service's own, escaped there
    place.dataset.version = part.version;
    for (const key of opened) {
      const same = place.querySelector(`details[data-key="${CSS.escape(key)}"]`);
      if (same) same.open = true;
    }
    if (path) {
      const same = place.querySelector(`[data-path="${CSS.escape(path)}"]`);
      if (same) same.focus({ preventScroll: true });
    }
    const sentence = part.id === "sentence" && place.querySelector("h1");
    if (sentence) {
      const word = sentence.classList.contains("fine") ? "Fine"
        : sentence.classList.contains("attention") ? "Look" : "Not known";
      document.title = word + " · conservator";
    }
  }

  function open() {
    stream = new EventSource(source);
    stream.addEventListener("open", heard);
    stream.addEventListener("beat", heard);
    stream.addEventListener("part", (event) => {
      heard();
      replace(JSON.parse(event.data));
    });
    stream.addEventListener("census", (event) => {
      heard();
      document.dispatchEvent(new CustomEvent("census", { detail: JSON.parse(event.data) }));
    });
    stream.addEventListener("bye", retry);
    stream.addEventListener("error", retry);
  }

  // Nobody looks at a hidden tab, and a browser opens six connections to one service in all.
  document.addEventListener("visibilitychange", () => {
    leave();
    if (!document.hidden) open();
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => { if (event.persisted && !stream) open(); });
  if (!document.hidden) open();
})();
