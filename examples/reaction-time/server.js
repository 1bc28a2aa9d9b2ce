// Reaction time: how late this very process gets to its work. Everything shown is measured in it, ten times a second; the
// button gives it one slow task, and everybody who looks sees the same peak: a Node.js process does one thing at a time.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { availableParallelism, hostname } from "node:os";
import { WebSocketServer } from "ws";

const STEP_MS = 10;
const EVERY_MS = 100;
const LONGEST_MS = 500;
const page = await readFile(new URL("index.html", import.meta.url));

const server = createServer((request, response) => {
  const isPage = request.url.split("?")[0] === "/";
  response.writeHead(isPage ? 200 : 404, { "content-type": isPage ? "text/html; charset=utf-8" : "text/plain" });
  response.end(isPage ? page : "There is nothing at this address.\n");
});

const sockets = new WebSocketServer({ server, path: "/live", maxPayload: 1024 });
sockets.on("connection", (socket) => {
  socket.on("message", (data) => keepBusy(Number(data)));
  socket.on("error", () => socket.terminate());
});

let worst = 0;
let due = performance.now() + STEP_MS;
setInterval(() => {
  const now = performance.now();
  worst = Math.max(worst, now - due);
  due = now + STEP_MS;
}, STEP_MS);

setInterval(() => {
  const reading = {
    at: Date.now(),
    late_ms: worst,
    watching: sockets.clients.size,
    memory_mb: process.memoryUsage.rss() / 2 ** 20,
    up_s: process.uptime(),
    where: `${hostname()}, Node.js ${process.versions.node}, ${availableParallelism()} cores`,
  };
  worst = 0;
  for (const socket of sockets.clients) socket.send(JSON.stringify(reading));
}, EVERY_MS);

function keepBusy(wanted) {
  const milliseconds = Math.min(Number.isFinite(wanted) ? wanted : 0, LONGEST_MS);
  const end = performance.now() + milliseconds;
  while (performance.now() < end); // on purpose: this is the slow task
}

server.listen(process.env.PORT ?? 8080);
