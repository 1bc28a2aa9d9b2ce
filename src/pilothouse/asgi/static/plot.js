// Draws each [data-plot] from the table that it holds: the first column is time, each further one a line or bars.
"use strict";

(() => {
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--ph-${name}`).trim();
  const HEIGHT = 190;
  const drawn = new Map();

  // An empty value is a gap.
  function amount(cell) {
    const value = cell.dataset.value ?? cell.textContent;
    return value === "" ? null : Number(value);
  }

  function read(figure) {
    const heads = [...figure.querySelectorAll("thead th")].slice(1);
    const rows = [...figure.querySelectorAll("tbody tr")];
    const times = rows.map((row) => new Date(row.querySelector("time").dateTime) / 1000);
    const columns = heads.map((_, column) => rows.map((row) => amount(row.querySelectorAll("td")[column])));
    return { heads, data: [times, ...columns] };
  }

  function look(head) {
    const color = token(head.dataset.tone === "bad" ? "alarm" : head.dataset.tone);
    const shape = head.dataset.shape;
    const paths = { step: uPlot.paths.stepped({ align: -1 }), bar: uPlot.paths.bars({ size: [0.8, 12] }) }[shape] ?? uPlot.paths.linear();
    return { label: head.textContent, stroke: color, width: shape === "bar" ? 0 : 2, fill: shape === "bar" ? color : `${color}1f`, paths, points: shape === "line" ? { size: 5 } : { show: false } };
  }

  const axis = () => ({ stroke: token("quiet"), font: "12px Inter Variable, system-ui", grid: { stroke: token("line"), width: 1 }, ticks: { show: false } });

  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
  const stamps = (plot, splits, axisNumber, space, step) => splits.map((value) => {
    const at = new Date(value * 1000);
    return step >= 86400 || (at.getHours() === 0 && at.getMinutes() === 0) ? day.format(at) : hour.format(at);
  });

  // The values under the pointer, else the last ones, stand in the labels above.
  function tell(figure, plot) {
    const at = plot.cursor.idx ?? plot.data[0].length - 1;
    figure.querySelectorAll(".plot-label b").forEach((value, number) => { value.textContent = plot.data[number + 1][at] ?? "—"; });
    const when = new Date(plot.data[0][at] * 1000);
    figure.querySelector(".plot-labels time").textContent = `${day.format(when)}, ${hour.format(when)}`;
  }

  function draw(figure) {
    const { heads, data } = read(figure);
    if (!data[0].length) return;
    const place = figure.querySelector(".plot-canvas");
    drawn.get(figure)?.destroy();
    const most = Math.max(0, ...data.slice(1).flat());
    const top = most > 0 && most < 1 ? most : Math.max(1, most);
    const isWhole = most === 0 || most >= 1;
    const whole = (plot, splits) => splits.map((value) => (Number.isInteger(value) ? value : ""));
    const plot = new uPlot({
      width: place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: [0, top * 1.1] } },
      axes: [{ ...axis(), size: 30, values: stamps }, { ...axis(), size: 44, incrs: isWhole && most < 40 ? [1, 2, 5, 10] : undefined, values: isWhole && most < 10 ? whole : undefined }],
      series: [{}, ...heads.map(look)],
      hooks: { setCursor: [(self) => tell(figure, self)] },
    }, data, place);
    drawn.set(figure, plot);
    tell(figure, plot);
  }

  // The table behind a plot as a file: moments in UTC, numbers as they are.
  function csv(figure) {
    const { heads, data: [times, ...columns] } = read(figure);
    const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
    const rows = times.map((at, row) => [new Date(at * 1000).toISOString(), ...columns.map((column) => column[row] ?? "")].join(","));
    return [["time", ...heads.map((head) => quoted(head.textContent))].join(","), ...rows, ""].join("\r\n");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-csv]");
    if (!button) return;
    const href = URL.createObjectURL(new Blob([csv(button.closest("figure"))], { type: "text/csv" }));
    Object.assign(document.createElement("a"), { href, download: `${button.dataset.csv.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.csv` }).click();
    URL.revokeObjectURL(href);
  });

  const all = () => {
    for (const figure of drawn.keys()) if (!figure.isConnected) { drawn.get(figure).destroy(); drawn.delete(figure); }
    document.querySelectorAll("[data-plot]").forEach(draw);
  };
  addEventListener("resize", all);
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.querySelector?.("[data-plot]")) all(); });
  new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  all();
})();
