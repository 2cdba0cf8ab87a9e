import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const forbid = (...group) => ({
  "no-restricted-imports": ["error", { patterns: [{ group, message: "Imports point client <- react <- editor." }] }],
});

export default tseslint.config(
  { ignores: ["src/client/schema.ts", "dist", "examples", "node_modules", "packages-dist"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "react-hooks": hooks },
    rules: {
      ...hooks.configs.recommended.rules,
      "max-lines": ["error", { max: 400, skipBlankLines: true }],
      "max-lines-per-function": ["error", { max: 130, skipBlankLines: true, skipComments: true }],
      complexity: ["error", 14],
      "no-console": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
    },
  },
  { files: ["**/*.tsx"], rules: { "max-lines": ["error", { max: 250, skipBlankLines: true }] } },
  { files: ["**/*.test.ts"], rules: { "max-lines": "off", "max-lines-per-function": "off" } },
  { files: ["src/client/**"], rules: forbid("react", "react-dom", "@xyflow/*", "zustand", "../*") },
  { files: ["src/react/**"], rules: forbid("../editor/*", "../nodes/*", "../ui/*", "../workflows/*") },
  { files: ["src/simulation/planted.ts"], rules: { "@typescript-eslint/unbound-method": "off" } }, // each is called with its own `this`
  { files: ["**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
);
