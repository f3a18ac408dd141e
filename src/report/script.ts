/**
 * What the page can do beyond HTML: copies of pictures, the cursor of the timeline, the filter, moving through a scene's pictures. It writes text
 * with textContent only. Everything is readable without it.
 */
export const SCRIPT = String.raw`"use strict";
(() => {
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const clock = (us) => {
  const t = Math.round(us / 1e5) / 10, h = Math.floor(t / 3600), m = Math.floor(t / 60) % 60, s = (t % 60).toFixed(1).padStart(4, "0");
  return h > 0 ? h + ":" + String(m).padStart(2, "0") + ":" + s : m + ":" + s;
};

// -- each picture is in the file once; other places take it from there
for (const target of all("[data-copy]")) {
  const source = document.getElementById("p-" + target.dataset.copy);
  if (!source) { if (target.tagName === "IMG") target.remove(); continue; }
  if (target.tagName === "IMG") { target.src = source.src; target.hidden = false; }
  else target.setAttribute("href", source.src);
}

// -- moving over a card's picture goes through the scene
for (const poster of all("[data-scrub]")) {
  const main = poster.querySelector("img");
  if (!main) continue;
  const own = main.src;
  const bar = document.createElement("span");
  bar.className = "scrub";
  bar.hidden = true;
  poster.append(bar);
  let sources = null;
  poster.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    sources ??= all(".strip img", poster.closest("[data-card]")).map((image) => image.src);
    if (sources.length < 2) return;
    const box = poster.getBoundingClientRect();
    const at = Math.max(0, Math.min(0.999, (event.clientX - box.left) / box.width));
    main.src = sources[Math.floor(at * sources.length)];
    bar.hidden = false;
    bar.style.width = 100 * at + "%";
  });
  poster.addEventListener("pointerleave", () => { main.src = own; bar.hidden = true; });
}

// -- a link to a scene opens it
const openTarget = () => {
  const card = /^#s-[\w-]+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (!card) return;
  card.hidden = false;
  card.open = true;
  card.scrollIntoView({ block: "start" });
  card.querySelector("summary").focus({ preventScroll: true });
};
addEventListener("hashchange", openTarget);
document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a[href^='#s-']");
  if (link && link.getAttribute("href") === location.hash) { event.preventDefault(); openTarget(); }
});
openTarget();

// -- timeline
const cursors = new Map();
for (const timeline of all("[data-timeline]")) {
  const data = JSON.parse(timeline.querySelector(".timeline-data").textContent);
  const lanes = timeline.querySelector(".lanes"), plot = timeline.querySelector(".plot"), cursor = timeline.querySelector(".cursor"), readout = timeline.querySelector(".readout-text");
  const rest = readout.textContent;
  const within = (spans, us) => spans.find((span) => us >= span[0] && us < span[1]);
  const value = (curve, us) => (curve ? curve[Math.min(curve.length - 1, Math.floor((us / data.us) * curve.length))] : null);
  let at = 0;
  const show = (us) => {
    at = Math.max(0, Math.min(data.us - 1, us));
    const box = plot.getBoundingClientRect();
    cursor.hidden = false;
    cursor.style.left = box.left - lanes.getBoundingClientRect().left + (at / data.us) * box.width + "px";
    const scene = within(data.scenes, at), cue = within(data.cues, at), loudness = value(data.loudness, at), motion = value(data.motion, at), change = value(data.change, at);
    const words = [];
    if (scene) words.push("scene " + scene[2]);
    if (change !== null) words.push("change " + change.toFixed(1));
    if (motion !== null) words.push("motion " + (100 * motion).toFixed(1) + " %");
    if (loudness !== null) words.push(loudness <= -70 ? "no sound" : loudness.toFixed(1).replace("-", "\u2212") + " LUFS");
    if (within(data.silence, at)) words.push("silence");
    if (within(data.black, at)) words.push("black");
    if (within(data.freeze, at)) words.push("frozen");
    if (cue) words.push("\u201c" + cue[2] + "\u201d");
    const time = document.createElement("b");
    time.textContent = clock(at);
    readout.replaceChildren(time, "  " + words.join(" \u00b7 "));
    lanes.setAttribute("aria-valuenow", String(Math.round(at / 1e6)));
    lanes.setAttribute("aria-valuetext", clock(at) + ", " + words.join(", "));
  };
  const hide = () => { cursor.hidden = true; readout.textContent = rest; };
  const open = () => { const scene = within(data.scenes, at); if (scene && scene[3]) { location.hash = "s-" + scene[3]; openTarget(); } };
  const move = (event) => { const box = plot.getBoundingClientRect(); if (event.clientX >= box.left - 4) show(((event.clientX - box.left) / box.width) * data.us); };
  lanes.addEventListener("pointermove", move);
  lanes.addEventListener("pointerdown", move);
  lanes.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch" && document.activeElement !== lanes) hide(); });
  lanes.addEventListener("focus", () => show(at));
  lanes.addEventListener("blur", hide);
  lanes.addEventListener("keydown", (event) => {
    const step = data.us / (event.shiftKey ? 20 : 200);
    const starts = data.scenes.map((scene) => scene[0]);
    if (event.key === "ArrowRight") show(at + step);
    else if (event.key === "ArrowLeft") show(at - step);
    else if (event.key === "PageDown") show(starts.find((us) => us > at) ?? data.us);
    else if (event.key === "PageUp") show(starts.filter((us) => us < at).pop() ?? 0);
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(data.us);
    else if (event.key === "Enter") open();
    else return;
    event.preventDefault();
  });
  cursors.set(timeline.id, show);
}
for (const link of all("[data-at]")) {
  link.addEventListener("click", () => { const show = cursors.get(link.hash.slice(1)); if (show) show(Number(link.dataset.at)); });
}

// -- filter
const box = document.querySelector(".filter"), input = document.getElementById("filter"), output = document.getElementById("filter-count");
const cards = all("[data-card]").map((card) => ({ card, words: all("[data-words]", card), text: all("[data-words], .number", card).map((node) => node.textContent).join(" ").toLowerCase() }));
const marks = new Map(all("a[href^='#s-'] .scene-mark").map((mark) => [mark.parentNode.getAttribute("href").slice(3), mark]));
const highlight = (terms) => {
  if (typeof Highlight === "undefined") return;
  CSS.highlights.delete("filter");
  if (terms.length === 0) return;
  const ranges = [];
  for (const { card, words } of cards) {
    if (card.hidden) continue;
    for (const { firstChild: node } of words) {
      if (!node) continue;
      const text = node.data.toLowerCase();
      for (const term of terms) for (let i = text.indexOf(term); i >= 0 && i + term.length <= node.length; i = text.indexOf(term, i + term.length)) {
        const range = new Range();
        range.setStart(node, i);
        range.setEnd(node, i + term.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set("filter", new Highlight(...ranges));
};
const filter = () => {
  const terms = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { card, text } of cards) {
    card.hidden = !terms.every((term) => text.includes(term));
    if (!card.hidden) shown += 1;
    const mark = marks.get(card.id.slice(2));
    if (mark) mark.classList.toggle("dim", card.hidden);
  }
  output.textContent = terms.length === 0 ? "" : shown + " of " + cards.length;
  highlight(terms);
};
if (cards.length > 1) {
  box.hidden = false;
  input.addEventListener("input", filter);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !event.ctrlKey && !event.metaKey) { event.preventDefault(); input.focus(); }
    else if (event.key === "Escape" && document.activeElement === input) { input.value = ""; filter(); }
  });
  if (input.value) filter();
}

// -- commands
if (navigator.clipboard) {
  for (const button of all("[data-copy-text]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(button.parentNode.querySelector("code").textContent); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(button.parentNode.querySelector("code")); }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}
})();
`;
