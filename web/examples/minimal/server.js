/** Serves the built page, and hands its visitors tokens: the one thing that your own backend has to do. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const { EASEL_URL = "http://127.0.0.1:8000", EASEL_TOKEN, PORT = "3000" } = process.env;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Your own session says who is asking, and whether they may. This example takes everybody for Ada. */
function whoIsAsking() {
  return { userId: "ada", name: "Ada", role: "editor", mayRun: true };
}

async function token(canvas) {
  return fetch(`${EASEL_URL}/api/workflows/${encodeURIComponent(canvas)}/tokens`, {
    method: "POST",
    headers: { Authorization: `Bearer ${EASEL_TOKEN}`, "Content-Type": "application/json" },
    body: JSON.stringify(whoIsAsking()),
  });
}

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  try {
    if (request.method === "POST" && pathname === "/token") {
      const answer = await token(searchParams.get("canvas"));
      response.writeHead(answer.status, { "Content-Type": "application/json" }).end(await answer.text());
    } else {
      const file = fileURLToPath(new URL(`./dist${pathname === "/" ? "/index.html" : pathname}`, import.meta.url));
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" }).end(await readFile(file));
    }
  } catch (error) {
    response.writeHead(error.code === "ENOENT" ? 404 : 502).end();
  }
}).listen(Number(PORT), "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}`);
});
