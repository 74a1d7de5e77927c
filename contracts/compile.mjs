// Compile the contracts with solc's JavaScript build and write one artifact a contract.
//   node compile.mjs OUT_DIR
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const shipped = {
  EnergyEuro: "src",
  MeterRegistry: "src",
  ChargeVault: "src",
  TradeLedger: "src",
  // Built and compared like the others, so that tests run what the vault runs; never deployed.
  OcmfHarness: "test/harness",
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
const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: "prague",
    viaIR: true,
    optimizer: { enabled: true, runs: 900 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const findImport = (path) => {
  const contents = readFileSync(join(here, "node_modules", path), "utf8");
  used[path] = { content: contents };
  return { contents };
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
// Every error counts; a warning counts if it is about our own sources.
const faults = (output.errors ?? []).filter(
  (one) => one.severity === "error" || /^(src|test)\//.test(one.sourceLocation?.file),
);
for (const fault of faults) {
  console.error(fault.formattedMessage);
}
if (faults.length > 0) {
  process.exit(1);
}

const hash = createHash("sha256");
for (const path of Object.keys(used).sort()) {
  hash.update(`${path}\0${used[path].content}\0`);
}
const sourceHash = hash.digest("hex");
mkdirSync(join(out, "test"), { recursive: true });
for (const [name, folder] of Object.entries(shipped)) {
  const { abi, evm } = output.contracts[`${folder}/${name}.sol`][name];
  const size = evm.deployedBytecode.object.length / 2;
  if (size > 24576) {
    console.error(`${name} is ${size} bytes, more than a contract may be`);
    process.exit(1);
  }
  const artifact = {
    name,
    compiler: solc.version(),
    evmVersion: "prague",
    sourceHash,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
  };
  const inside = folder === "src" ? out : join(out, "test");
  writeFileSync(join(inside, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  console.log(`${name}: ${size} bytes`);
}
