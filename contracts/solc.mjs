// Answer `--version` and `--standard-json` as the native compiler does; see the file solc beside it.
import { readFileSync } from "node:fs";
import solc from "solc";

if (process.argv.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log(`Version: ${solc.version()}`);
} else if (process.argv.includes("--standard-json")) {
  // Whoever asks sends every source along, so nothing is looked up here.
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  console.error("solc: only --version and --standard-json are answered here");
  process.exit(1);
}
