"use strict";

const SVG = "http://www.w3.org/2000/svg";
const REACH = 6; // Units of a plane within which a pointer finds a row.

function element(name, attributes, text) {
  const found = name === "circle" || name === "line"
    ? document.createElementNS(SVG, name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  if (text !== undefined) found.textContent = text;
  return found;
}

function linked(section) {
  const data = JSON.parse(section.querySelector("script").textContent);
  const planes = [...section.querySelectorAll("svg[data-side]")];
  const picked = section.querySelector(".picked");
  const status = picked.querySelector("[role=status]");
  const lists = picked.querySelector(".lists");
  const find = section.querySelector(".find input");
  let layout = "pca";
  let kept = null; // The row that stays picked when the pointer leaves.
  let shown = null;

  const place = (side, row) => data.at[layout][side][row];

  function mark(plane, row, kind, radius) {
    const [x, y] = place(plane.dataset.side, row);
    plane.querySelector(".marks").append(element("circle", { cx: x, cy: y, r: radius, class: kind }));
  }

  function draw() {
    for (const plane of planes) {
      const side = plane.dataset.side;
      plane.querySelectorAll(".dots circle").forEach((dot, row) => {
        const [x, y] = place(side, row);
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", y);
      });
    }
    section.querySelectorAll(".axes").forEach((axes) => { axes.hidden = layout !== "pca"; });
    show(shown);
  }

  function show(row) {
    shown = row;
    section.classList.toggle("has-picked", row !== null);
    picked.classList.toggle("idle", row === null);
    for (const plane of planes) {
      plane.querySelector(".marks").replaceChildren();
      plane.querySelector(".links").replaceChildren();
    }
    lists.replaceChildren();
    if (row === null) {
      status.textContent = "No row is picked.";
      return;
    }
    const near = { a: new Set(data.near.a[row]), b: new Set(data.near.b[row]) };
    const both = [...near.a].filter((other) => near.b.has(other));
    for (const plane of planes) {
      const side = plane.dataset.side;
      const [x1, y1] = place(side, row);
      for (const other of near[side]) {
        const [x2, y2] = place(side, other);
        plane.querySelector(".links").append(element("line", { x1, y1, x2, y2 }));
      }
      for (const other of near.a) mark(plane, other, near.b.has(other) ? "both" : "a", 1.2);
      for (const other of near.b) if (!near.a.has(other)) mark(plane, other, "b", 1.2);
      mark(plane, row, "self", 2.2);
    }
    for (const side of ["a", "b"]) {
      const column = element("div", {});
      const list = element("ol", {});
      for (const other of data.near[side][row]) {
        const shared = near.a.has(other) && near.b.has(other);
        const name = data.names[other] + (shared ? " (in both)" : "");
        list.append(element("li", shared ? { class: "shared" } : {}, name));
      }
      column.append(element("strong", {}, "Nearest in " + side.toUpperCase()), list);
      lists.append(column);
    }
    status.textContent = data.names[row] + ": " + both.length + " of " + data.k + " neighbours shared";
  }

  function rowAt(plane, event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plane.getScreenCTM().inverse());
    let nearest = null;
    let least = REACH * REACH;
    data.at[layout][plane.dataset.side].forEach(([x, y], row) => {
      const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (distance < least) {
        least = distance;
        nearest = row;
      }
    });
    return nearest;
  }

  function keep(row) {
    kept = row;
    show(row);
  }

  for (const plane of planes) {
    plane.addEventListener("pointermove", (event) => {
      const row = rowAt(plane, event);
      if (row !== null && row !== shown) show(row);
    });
    plane.addEventListener("pointerleave", () => { if (shown !== kept) show(kept); });
    plane.addEventListener("click", (event) => keep(rowAt(plane, event)));
    plane.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      const count = data.names.length;
      if (event.key === "Escape") keep(null);
      else if (event.key in steps) {
        const from = kept === null ? (steps[event.key] > 0 ? -1 : 0) : kept;
        keep((from + steps[event.key] + count) % count);
      } else return;
      event.preventDefault();
    });
  }
  find.addEventListener("change", () => {
    const exact = data.names.indexOf(find.value);
    const row = exact < 0 ? data.names.indexOf(find.value.trim()) : exact;
    find.setCustomValidity(row < 0 && find.value ? "No drawn row has this name." : "");
    find.reportValidity();
    keep(row < 0 ? null : row);
  });
  section.querySelectorAll("input[type=radio]").forEach((choice) => {
    choice.addEventListener("change", () => {
      layout = choice.value;
      draw();
    });
  });
  section.querySelector(".controls").hidden = false;
}

document.querySelectorAll("[data-planes]").forEach(linked);

// A folded part would be missing on paper, and behind a link to it.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((part) => { part.open = true; });
});
addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
function unfold() {
  const part = document.getElementById(location.hash.slice(1));
  if (part instanceof HTMLDetailsElement) part.open = true;
}
addEventListener("hashchange", unfold);
unfold();
