/**
 * Builds what others install: `npm run build:packages` leaves @easel/client and @easel/react in web/packages-dist, ready for
 * `npm pack`. One file of JavaScript each, and the declarations of the sources.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const WEB = dirname(dirname(fileURLToPath(import.meta.url)));
const OUT = join(WEB, "packages-dist");
const { version } = readJson(join(WEB, "package.json"));

rmSync(OUT, { recursive: true, force: true });
execFileSync(execPath, [join(WEB, "node_modules/typescript/bin/tsc"), "-p", join(WEB, "packages/tsconfig.json")], { stdio: "inherit" });
for (const name of ["client", "react"]) {
  const folder = join(OUT, name);
  const manifest = readJson(join(WEB, "packages", name, "package.json"));
  await bundle(name, join(folder, "dist"));
  declare(join(OUT, "types", name), join(folder, "dist"));
  if (manifest.dependencies?.["@easel/client"]) manifest.dependencies["@easel/client"] = version;
  const { name: own, ...rest } = manifest;
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ name: own, version, ...rest }, null, 2)}\n`);
  cpSync(join(WEB, "packages", name, "README.md"), join(folder, "README.md"));
}
rmSync(join(OUT, "types"), { recursive: true });

/** Whatever is not ours stays an import, and so does the client in the React package: a page has one of each. */
async function bundle(name, outDir) {
  const client = { name: "client", enforce: "pre", resolveId: (id) => (id === "../client" ? { id: "@easel/client", external: true } : null) };
  const banner = name === "react" ? '"use client";' : ""; // hooks have no place in a React server component
  await build({
    root: WEB,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    plugins: [client],
    build: {
      target: "es2022",
      outDir,
      minify: false,
      sourcemap: true,
      lib: { entry: join(WEB, "src", name, "index.ts"), formats: ["es"], fileName: () => "index.js" },
      rollupOptions: { external: /^[^./]/, output: { banner } },
    },
  });
}

/** Declarations as Node resolves them: a file has its ending, a package its name. */
function declare(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const text = readFileSync(join(from, name), "utf8");
    const resolved = text.replace(/(from |import\()"(\.[^"]*)"/g, (_, before, path) => `${before}"${path === "../client" ? "@easel/client" : `${path}.js`}"`);
    writeFileSync(join(to, name), resolved);
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
