"use strict";
// Loaded before a Node.js app inside its job (`node --require`). An app that says only on which port it listens would be
// reachable at every address of the machine, past the gateway and its sign-in: it is given the job's own address instead.
// And some apps read the token with which they act for themselves from a file that a variable names.
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");

const { HOST: host, PORT: port, CONNECT_CONTENT_SESSION_TOKEN: token } = process.env;
if (token && !process.env.CONNECT_CONTENT_SESSION_TOKEN_FILE) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "session-token-"));
  process.env.CONNECT_CONTENT_SESSION_TOKEN_FILE = path.join(folder, "token");
  fs.writeFileSync(process.env.CONNECT_CONTENT_SESSION_TOKEN_FILE, token, { mode: 0o600 });
}
const EVERYWHERE = new Set([undefined, null, "", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1"]);
const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (...given) {
  const [first, second] = given;
  if (typeof first === "object" && first !== null) {
    if ("port" in first && EVERYWHERE.has(first.host)) given[0] = { ...first, host };
    return listen.apply(this, given);
  }
  const isPort = typeof first === "number" || (typeof first === "string" && /^[0-9]+$/.test(first)) || first === undefined;
  if (!isPort) return listen.apply(this, given); // a socket's path
  if (typeof second === "string") {
    if (EVERYWHERE.has(second)) given[1] = host;
  } else {
    if (given.length === 0) given.push(port);
    given.splice(1, 0, host);
  }
  return listen.apply(this, given);
};
