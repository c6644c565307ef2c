// Bundles what the web page takes from others into src/foretrace/web/static/vendor/: the same bytes each time.
//
//     npm ci && npm run build             writes the bundles, and THIRD_PARTY.md with their licences
//     npm ci && npm run check             fails if they are not what it would write; checks the page's types and form
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const here = new URL(".", import.meta.url).pathname;
const target = new URL("../../src/foretrace/web/static/vendor/", import.meta.url).pathname;
const isCheck = process.argv.includes("--check");
const read = (path) => readFileSync(path, "utf8");

/** One bundle: its text, and the packages in it. */
async function bundle(name) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: here,
    entryPoints: [`${name}.js`],
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    banner: { js: "// Made by tools/vendor/build.mjs; whose it is: THIRD_PARTY.md" },
    metafile: true,
    write: false,
  });
  const paths = Object.keys(metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return { name, text: outputFiles[0].text, packages: [...new Set(paths.filter(Boolean))].sort() };
}

/** The notice of a package: its version, licence and copyright, and the text of the licence. */
function notice(name) {
  const { version, license } = JSON.parse(read(`${here}node_modules/${name}/package.json`));
  const text = read(`${here}node_modules/${name}/LICENSE`).replaceAll("\r", "").trim();
  const copyright = /^ *(Copyright (?:\(c\) )?\d{4}.*)$/im.exec(text)?.[1] ?? "";
  return { name, version, license, copyright, text };
}

function thirdParty(bundles) {
  const lines = ["# What `vendor/` takes from others", "", "Made by `tools/vendor/build.mjs`.", ""];
  const notices = new Map();
  for (const { name, packages } of bundles) {
    lines.push(`\`${name}.js\`:`, "", "| package | version | licence | |", "|---|---|---|---|");
    for (const each of packages.map(notice)) {
      notices.set(each.name, each);
      const whose = each.copyright.replace(/ <.*?>/, "") + (each.license === "MIT" ? "" : "; its text is LICENSE");
      lines.push(`| ${each.name} | ${each.version} | ${each.license} | ${whose} |`);
    }
    lines.push("");
  }
  const mit = [...notices.values()].find((each) => each.license === "MIT").text;
  const terms = mit.slice(mit.indexOf("Permission is hereby"));
  return [...lines, "The MIT licence:", "", ...terms.split("\n").map((line) => `> ${line}`.trimEnd()), ""].join("\n");
}

function keep(path, text) {
  if (!isCheck) writeFileSync(path, text);
  else if (read(path) !== text) {
    console.error(`${path} is not what build.mjs writes; run: npm run build`);
    process.exitCode = 1;
  }
}

const bundles = await Promise.all(["codemirror", "preact"].map(bundle));
for (const { name, text } of bundles) {
  keep(`${target}${name}.js`, text);
  console.log(`${name}.js  ${(text.length / 1024).toFixed(0)} kB`);
}
keep(`${target}THIRD_PARTY.md`, thirdParty(bundles));
