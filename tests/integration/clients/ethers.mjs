// Use a node as an application with ethers does, and print what was seen as one JSON document:
// node ethers.mjs contract|revert|subscriptions URL, the artifact of EnergyEuro on stdin.
import { text } from "node:stream/consumers";
import {
  ContractFactory,
  JsonRpcProvider,
  Wallet,
  WebSocketProvider,
} from "../../peers/node_modules/ethers/lib.esm/index.js";

const KEY = "0x" + "11".repeat(32);
const HOLDER = "0x" + "77".repeat(20);
const POLLING_MS = 20;

async function deploy(provider, artifact) {
  const wallet = new Wallet(KEY, provider);
  const factory = new ContractFactory(artifact.abi, artifact.bytecode, wallet);
  let nonce = 0;
  const token = await factory.deploy(wallet.address, { nonce: nonce++ });
  await token.waitForDeployment();
  const send = async (method, ...args) => {
    const sent = await token.getFunction(method)(...args, { nonce: nonce++ });
    return sent.wait();
  };
  return { token, wallet, send };
}

// Deploy, call, send, and read what the contract logged.
async function contract(provider, artifact) {
  const { token, wallet, send } = await deploy(provider, artifact);
  const minted = await send("mint", wallet.address, 5_000_000n);
  const transferred = await send("transfer", HOLDER, 1_500_000n);
  const found = await token.queryFilter(token.filters.Transfer(null, HOLDER), 0, "latest");
  const all = await token.queryFilter("Transfer", 0, "latest");
  return {
    name: await token.name(),
    decimals: await token.decimals(),
    balance: await token.balanceOf(HOLDER),
    balance_before: await token.balanceOf(HOLDER, { blockTag: minted.blockNumber }),
    statuses: [minted.status, transferred.status],
    price: transferred.gasPrice,
    transfers: all.length,
    found: found.map((event) => [event.transactionHash === transferred.hash, ...event.args]),
    code: (await provider.getCode(token.target)).length > 2,
    nonce: await wallet.getNonce(),
  };
}

// Ask for what the contract refuses, by a call and by an estimate of gas.
async function revert(provider, artifact) {
  const { token } = await deploy(provider, artifact);
  const seen = async (asked) => {
    try {
      await asked;
      return null;
    } catch (error) {
      // ethers decodes what a call answers; what an estimate answers is left to the application.
      const refusal = error.revert ?? token.interface.parseError(error.data);
      return { code: error.code, name: refusal.name, args: [...refusal.args] };
    }
  };
  return {
    call: await seen(token.transfer.staticCall(HOLDER, 7n)),
    estimate: await seen(token.transfer.estimateGas(HOLDER, 7n)),
    batch: await seen(token.mintBatch.staticCall([HOLDER], [])),
  };
}

// Subscribe to blocks and to an event, and wait until both were heard.
async function subscriptions(provider, artifact) {
  const { token, wallet, send } = await deploy(provider, artifact);
  const blocks = [];
  let heard;
  const transfer = new Promise((resolve) => {
    heard = resolve;
  });
  const last = new Promise((resolve) => {
    provider.on("block", (number) => {
      blocks.push(number);
      if (blocks.length === 3) resolve();
    });
  });
  await token.on(token.filters.Transfer(null, HOLDER), (event) => {
    heard({ args: [...event.args], block: event.log.blockNumber });
  });
  // Any answer after the subscriptions' own says that they are in place.
  await provider.getBlockNumber();
  await send("mint", wallet.address, 5n);
  await send("transfer", HOLDER, 2n);
  await send("transfer", wallet.address, 1n);
  await last;
  return { blocks, transfer: await transfer };
}

const [act, url] = process.argv.slice(2);
const artifact = JSON.parse(await text(process.stdin));
const provider = url.startsWith("ws")
  ? new WebSocketProvider(url)
  : new JsonRpcProvider(url, undefined, { pollingInterval: POLLING_MS, cacheTimeout: -1 });
const seen = await { contract, revert, subscriptions }[act](provider, artifact);
await provider.destroy();
const plain = (_, value) => (typeof value === "bigint" ? value.toString() : value);
process.stdout.write(JSON.stringify(seen, plain));
