"use strict";
// A click on a title sorts its table, another click turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  // Cells without a number stay at the end, whichever the order.
  const compare = (a, b, sign) => {
    const numbers = (typeof b === "number") - (typeof a === "number");
    if (numbers !== 0) return numbers;
    if (typeof a === "number") return sign * (a - b);
    return sign * a.localeCompare(b, "en", { numeric: true });
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => compare(a, b, sign));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
// Places of charts tell their numbers to the mouse and to the keyboard; arrows go from one to the next.
const spots = [...document.querySelectorAll("[data-tip]")];
if (spots.length > 0) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  const show = (spot) => {
    tip.textContent = spot.dataset.tip;
    tip.hidden = false;
    const place = spot.getBoundingClientRect();
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const page = document.documentElement;
    const left = Math.min(Math.max(8, place.x + place.width / 2 - width / 2), page.clientWidth - width - 8);
    const above = place.y - height - 8;
    const below = Math.min(place.bottom + 8, page.clientHeight - height - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${Math.max(8, above >= 8 ? above : below)}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const spot of spots) {
    spot.addEventListener("pointerenter", () => show(spot));
    spot.addEventListener("pointerleave", hide);
    spot.addEventListener("focus", () => show(spot));
    spot.addEventListener("blur", hide);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const spot = document.activeElement;
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way || !spot?.matches("[data-tip]")) return;
    const of = [...spot.closest("svg").querySelectorAll("[data-tip]")];
    const next = of[of.indexOf(spot) + way];
    if (next) { event.preventDefault(); next.focus(); }
  });
  // Focus may scroll the page, and the tip stays at its place.
  addEventListener("scroll", () => {
    const spot = document.activeElement;
    if (!tip.hidden && spot?.matches("[data-tip]")) show(spot); else hide();
  }, { passive: true, capture: true });
}
// What is wider than its place says that it scrolls, and fades where it goes on.
for (const place of document.querySelectorAll(".scroll, .chart.wide")) {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = "Scroll sideways to see all of it \u2192";
  hint.setAttribute("aria-hidden", "true");
  place.prepend(hint);
  const look = () => {
    const rest = place.scrollWidth - place.clientWidth;
    place.classList.toggle("goes-on", rest - place.scrollLeft > 1);
    place.classList.toggle("scrolls", rest > 1);
  };
  place.addEventListener("scroll", look, { passive: true });
  addEventListener("resize", look);
  look();
}
