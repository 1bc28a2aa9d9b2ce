// Arrow keys walk from one entry to its neighbour: tabs, chips, cards, rows, the rail, the account's sheet.
"use strict";

(() => {
  const WALKS = [
    ["details.menu", "summary, .sheet a, .sheet button"],
    [".tabs, .chips", "a, button"],
    [".stages, .rail", "a"],
    [".grid", "a.title"],
    ["tbody", "th[scope=row] a"],
  ];
  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function middle(element) {
    const box = element.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  }

  // The nearest one that lies more that way than across.
  function neighbour(from, all, [right, down]) {
    const [x, y] = middle(from);
    const near = all.filter((one) => one !== from && one.checkVisibility()).map((one) => {
      const [dx, dy] = [middle(one)[0] - x, middle(one)[1] - y];
      const along = dx * right + dy * down;
      const across = Math.abs(dx * down) + Math.abs(dy * right);
      return { one, along, distance: along + 3 * across };
    });
    return near.filter(({ along }) => along > 4).sort((a, b) => a.distance - b.distance)[0]?.one;
  }

  document.addEventListener("keydown", (event) => {
    const direction = DIRECTIONS[event.key];
    if (!direction || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    for (const [place, entries] of WALKS) {
      const around = event.target.closest(place);
      if (!around || !event.target.matches(entries)) continue;
      const isMenu = around.matches("details.menu");
      if (isMenu && event.key === "ArrowDown") around.open = true;
      const all = [...around.querySelectorAll(entries)];
      const next = isMenu ? all[all.indexOf(event.target) + direction[0] + direction[1]] : neighbour(event.target, all, direction);
      if (!next) return;
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
      return;
    }
  });
})();
