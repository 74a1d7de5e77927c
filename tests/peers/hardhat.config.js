// A node with hardhat's defaults; only what it would write is kept with what is installed.
export default {
  paths: { cache: "node_modules/.hardhat/cache", artifacts: "node_modules/.hardhat/artifacts" },
};
