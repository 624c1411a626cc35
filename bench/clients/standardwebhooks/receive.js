// A receiver that has each of its notifications verified by standardwebhooks. Its arguments are secrets.
// It says where it listens, and then a line of JSON for every notification: what came, and for each secret
// what the package makes of it as it came, of a body that was tampered with, of another id, and of what came
// ten minutes ago or is ten minutes ahead: "ok" or why it is refused.
"use strict";
const http = require("http");
const { Webhook } = require("standardwebhooks");
const secrets = process.argv.slice(2);
const tenMinutes = 10 * 60 * 1000;

function verdict(secret, body, headers, offset = 0) {
  const now = Date.now;
  try {
    Date.now = () => now() + offset;
    const read = new Webhook(secret).verify(body, headers);
    return read.id === JSON.parse(body).id ? "ok" : `read ${JSON.stringify(read)}`;
  } catch (err) {
    return err.message;
  } finally {
    Date.now = now;
  }
}

const server = http.createServer((req, res) => {
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => {
    const body = Buffer.concat(parts).toString("utf8");
    const { id, type } = JSON.parse(body);
    const verdicts = secrets.map((secret) => ({
      genuine: verdict(secret, body, req.headers),
      tampered: verdict(secret, body.replace('"severity":"page"', '"severity":"info"'), req.headers),
      renamed: verdict(secret, body, { ...req.headers, "webhook-id": "another" }),
      late: verdict(secret, body, req.headers, tenMinutes),
      early: verdict(secret, body, req.headers, -tenMinutes),
    }));
    console.log(JSON.stringify({ id, type, header: req.headers["webhook-id"], verdicts }));
    res.writeHead(204).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/hook`));
