// A charging station of another hand: ocpp-rpc, which checks every message against the schemas of
// OCPP itself. It plays the calls on its standard input and prints what it was answered and asked.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { RPCClient } = createRequire(new URL("../../peers/package.json", import.meta.url))("ocpp-rpc");

const [endpoint, identity, password, protocol, ca] = process.argv.slice(2);
const calls = JSON.parse(readFileSync(0, "utf8"));
const answers = [];

const station = new RPCClient({
    endpoint,
    identity,
    password,
    protocols: [protocol],
    // Its schemas of 2.1 go by names that it does not look for itself.
    strictMode: ["ocpp1.6", "ocpp2.0.1"],
    reconnect: false,
    wsOpts: ca ? { ca: readFileSync(ca) } : {},
});

await station.connect();
let transaction = 0;
for (const [action, payload] of calls) {
    if (payload.transactionId === "$transaction") {
        payload.transactionId = transaction;
    }
    const answer = await station.call(action, payload);
    transaction = answer.transactionId ?? transaction;
    answers.push(answer);
}
await station.close();
process.stdout.write(JSON.stringify(answers));
