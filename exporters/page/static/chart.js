// The counts over time, in place of the drawings that the service sent: the same data, to be read
// by pointing at it, and going on with every census.
"use strict";

(() => {
  const history = document.getElementById("history");
  if (!history || !window.uPlot) return;

  const KEYS = ["t", "legacy_untracked", "storage", "fresh", "tracked"];
  const MOST = 900; // three times what the service sends: then it is thinned there again
  const number = new Intl.NumberFormat("en");
  const moment = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "long", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
  });
  const spanSeconds = { "6h": 21600, "24h": 86400, "7d": 604800, "30d": 2592000 }[history.dataset.span];
  const sync = uPlot.sync("counts");
  let panels = [];
  let columns = null;
  let plots = [];

  const at = (seconds) => moment.format(new Date(seconds * 1000)).replace(" at ", ", ");
  const color = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

  function readings(index) {
    const time = document.getElementById("cursor-time");
    const pointing = index !== null && index !== undefined && index < columns.t.length;
    time.textContent = pointing ? at(columns.t[index]) : "";
    for (const panel of panels) {
      const values = columns[panel.dataset.series];
      panel.querySelector("[data-reading]").textContent = pointing
        ? number.format(values[index])
        : `${number.format(low(values))} to ${number.format(high(values))}`;
    }
  }

  const low = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = (values) => values.reduce((a, b) => Math.max(a, b), 0);

  function scale(key) {
    return (plot, min, max) => {
      const floor = key === "tracked" ? min : 0;
      const room = Math.max((max - floor) * 0.08, 1);
      return [key === "tracked" ? Math.max(0, floor - room) : 0, max + room];
    };
  }

  function plot(panel) {
    const key = panel.dataset.series;
    const place = panel.querySelector(".canvas");
    const stroke = color(panel, "--series");
    place.replaceChildren();
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", describe(panel, key));
    const main = key === "legacy_untracked";
    return new uPlot({
      width: place.clientWidth,
      height: place.clientHeight,
      padding: [6, 5, 2, 0],
      legend: { show: false },
      cursor: {
        sync: { key: sync.key, setSeries: false, scales: ["x", null] },
        drag: { x: false, y: false },
        y: false,
        points: { size: 7, fill: stroke },
      },
      scales: { x: { time: true }, y: { range: scale(key) } },
      axes: [{ show: false }, { show: false }],
      series: [{}, {
        stroke,
        width: 1.75,
        fill: main ? stroke + "22" : undefined,
        // Counts hold until the next census: steps, not slopes.
        paths: uPlot.paths.stepped({ align: 1 }),
        // The newest is marked: a rise with the last census has no width yet.
        points: { show: true, size: 6, fill: stroke, filter: () => [columns.t.length - 1] },
      }],
      hooks: { setCursor: [(shown) => { if (shown.cursor.event || shown.cursor.left < 0) readings(shown.cursor.idx); }] },
    }, [columns.t, columns[key]], place);
  }

  function describe(panel, key) {
    const values = columns[key];
    const name = panel.querySelector("figcaption").firstChild.textContent.trim();
    return `${name}: ${number.format(values[0])} at first, ${number.format(values.at(-1))} at last,`
      + ` between ${number.format(low(values))} and ${number.format(high(values))}`;
  }

  function draw() {
    for (const one of plots) one.destroy();
    plots = panels.map(plot);
    readings(null);
  }

  function add(point) {
    if (!columns) return;
    if (columns.t.length && point.t <= columns.t.at(-1)) return;
    for (const key of KEYS) columns[key].push(point[key]);
    while (columns.t.length > 2 && columns.t[0] < point.t - spanSeconds) {
      for (const key of KEYS) columns[key].shift();
    }
    if (columns.t.length > MOST) {
      load();
      return;
    }
    plots.forEach((one, index) => one.setData([columns.t, columns[panels[index].dataset.series]]));
    panels.forEach((panel) => panel.querySelector(".canvas").setAttribute("aria-label", describe(panel, panel.dataset.series)));
    const pointing = plots.some((one) => one.cursor.left >= 0);
    if (!pointing) readings(null);
    const end = document.getElementById("history-end");
    end.dateTime = new Date(point.t * 1000).toISOString();
    end.textContent = at(point.t);
  }

  async function load() {
    const answer = await fetch(history.dataset.source, { headers: { Accept: "application/json" } });
    if (!answer.ok) return; // the drawings that were sent stay
    columns = (await answer.json()).columns;
    if (columns.t.length > 1) draw();
  }

  // A page that was sent before there was a line has no place for one yet.
  async function complete() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const sent = new DOMParser().parseFromString(await answer.text(), "text/html");
    const made = sent.getElementById("history");
    if (made && made.querySelector("#panels")) {
      history.replaceChildren(...made.childNodes);
      begin();
    }
  }

  document.addEventListener("census", (event) => {
    if (panels.length) add(event.detail);
    else complete().catch(() => {});
  });

  function begin() {
    panels = [...history.querySelectorAll("#panels .panel")];
    if (!panels.length) return;
    sizes.observe(panels[0]);
    load().catch(() => {});
  }

  let width = 0;
  const sizes = new ResizeObserver(() => {
    const now = panels[0].clientWidth;
    if (now === width) return;
    width = now;
    plots.forEach((one, index) => {
      const place = panels[index].querySelector(".canvas");
      one.setSize({ width: place.clientWidth, height: place.clientHeight });
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (columns) draw(); });
  begin();
})();
