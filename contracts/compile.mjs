// Compile the contracts with solc's JavaScript build and write one artifact a contract.
//   node compile.mjs OUT_DIR
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
// What is shipped, from which folder, and for how many calls it is optimized: as many as still give
// less than 24,576 bytes.
const shipped = {
  EnergyEuro: { folder: "src", runs: 1000000 },
  MeterRegistry: { folder: "src", runs: 1000000 },
  ChargeVault: { folder: "src", runs: 900 },
  TradeLedger: { folder: "src", runs: 1000000 },
  // Built and compared like the others, so that tests run what the vault runs; never deployed.
  OcmfHarness: { folder: "test/harness", runs: 900 },
};
const [out] = process.argv.slice(2);

function solidityFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? solidityFiles(path) : [path];
    })
    .filter((path) => path.endsWith(".sol"))
    .sort();
}

const sources = {};
for (const path of ["src", "test/harness"].flatMap((folder) => solidityFiles(join(here, folder)))) {
  sources[relative(here, path)] = { content: readFileSync(path, "utf8") };
}
const used = { ...sources };
const findImport = (path) => {
  const contents = readFileSync(join(here, "node_modules", path), "utf8");
  used[path] = { content: contents };
  return { contents };
};

// Compile what ships optimized for a number of calls; everything is read and warned of all the same.
function compile(runs) {
  const asked = Object.entries(shipped).filter(([, one]) => one.runs === runs);
  const input = {
    language: "Solidity",
    sources,
    settings: {
      evmVersion: "prague",
      viaIR: true,
      optimizer: { enabled: true, runs },
      metadata: { appendCBOR: false, bytecodeHash: "none" },
      outputSelection: Object.fromEntries(
        asked.map(([name, { folder }]) => [
          `${folder}/${name}.sol`,
          { [name]: ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] },
        ]),
      ),
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  // Every error counts; a warning counts if it is about our own sources. Size is checked below.
  const faults = (output.errors ?? []).filter(
    (one) =>
      one.severity === "error" ||
      (/^(src|test)\//.test(one.sourceLocation?.file) && one.errorCode !== "5574"),
  );
  for (const fault of faults) {
    console.error(fault.formattedMessage);
  }
  if (faults.length > 0) {
    process.exit(1);
  }
  return output.contracts;
}

const compiled = new Map();
for (const { runs } of Object.values(shipped)) {
  if (!compiled.has(runs)) {
    compiled.set(runs, compile(runs));
  }
}

const hash = createHash("sha256");
for (const path of Object.keys(used).sort()) {
  hash.update(`${path}\0${used[path].content}\0`);
}
const sourceHash = hash.digest("hex");
mkdirSync(join(out, "test"), { recursive: true });
for (const [name, { folder, runs }] of Object.entries(shipped)) {
  const { abi, evm } = compiled.get(runs)[`${folder}/${name}.sol`][name];
  const size = evm.deployedBytecode.object.length / 2;
  if (size > 24576) {
    console.error(`${name} is ${size} bytes, more than a contract may be`);
    process.exit(1);
  }
  const artifact = {
    name,
    compiler: solc.version(),
    evmVersion: "prague",
    optimizerRuns: runs,
    sourceHash,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
  };
  const inside = folder === "src" ? out : join(out, "test");
  writeFileSync(join(inside, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  console.log(`${name}: ${size} bytes`);
}
