// Keeps the page as the journal is: asks for its sections and exchanges those that have changed.
"use strict";

const EVERY = 3000; // milliseconds
const live = document.getElementById("live");
const made = document.querySelector("#made time");
const known = new Map();

function inside(name) {
  return document.querySelector(`#${name} > .inside`);
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template;
}

function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

/** Somebody marks words in this section: leave it as it is until they are done. */
function inUse(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

/** What a fold or a box is called; figures in it may change. */
function called(stop) {
  return (stop.ariaLabel ?? stop.textContent).replace(/\d+/g, "#");
}

/** Exchange a section; what is unfolded, scrolled and focused in it stays so. */
function exchange(part, template) {
  const state = new Map();
  for (const stop of part.querySelectorAll("summary, [tabindex]")) {
    const focused = stop === document.activeElement;
    state.set(called(stop), { open: stop.parentElement.open, left: stop.scrollLeft, focused });
  }
  part.replaceChildren(template.content);
  for (const stop of part.querySelectorAll("summary, [tabindex]")) {
    const before = state.get(called(stop));
    if (!before) continue;
    if (stop.tagName === "SUMMARY") stop.parentElement.open = before.open;
    stop.scrollLeft = before.left;
    if (before.focused) stop.focus({ preventScroll: true });
  }
}

async function refresh() {
  if (document.hidden) return;
  let news;
  try {
    const answer = await fetch("sections.json", { cache: "no-store" });
    news = await answer.json();
    if (!answer.ok) throw new Error(news.error);
  } catch (error) {
    live.dataset.lost = "";
    say(error instanceof TypeError ? "boxlift watch has ended; this is how things stood." : String(error.message));
    return;
  }
  delete live.dataset.lost;
  live.dataset.running = String(news.running);
  say(news.running ? "A run goes on." : "No run goes on now.");
  made.textContent = news.made;
  made.dateTime = news.at;
  for (const [name, html] of Object.entries(news.sections)) {
    const part = inside(name);
    const template = parsed(html);
    if (!part || template.innerHTML.trim() === known.get(name) || inUse(part)) continue;
    known.set(name, template.innerHTML.trim());
    exchange(part, template);
  }
}

for (const part of document.querySelectorAll("main > section > .inside")) {
  known.set(part.parentElement.id, part.innerHTML.trim());
}

async function go() {
  await refresh();
  setTimeout(go, EVERY);
}

document.addEventListener("visibilitychange", refresh);
setTimeout(go, EVERY);
