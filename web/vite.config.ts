import { defineConfig } from "vitest/config";

const server = `http://127.0.0.1:${process.env.EASEL_PORT ?? "8000"}`;

export default defineConfig({
  esbuild: { jsx: "automatic" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // a data: URL would need a hole in the content security policy
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: {
      "/api": server,
      "/objects": server,
      "/login": server,
      "/s/": server,
      "/ws": { target: server, ws: true },
    },
  },
  test: { include: ["src/**/*.test.ts"] },
});
