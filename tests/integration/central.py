"""A central system of any version of OCPP on bare JSON, that a test can lead by the hand."""

import asyncio
import json
from contextlib import asynccontextmanager

from ocpp.exceptions import OCPPError
from ocpp.messages import Call, validate_payload
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

TAG = "0123456789ABCDEF0123"
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
NOW = "2017-05-08T07:00:00Z"


class Central:
    """Answers every request, keeps each, and holds each to the schema of its version."""

    def __init__(self, version):
        self.version = version
        self.calls, self.ids, self.faults, self.answers = [], [], [], {}
        self.limit_euros = self.cost_euros = None
        self.deaf_to, self.number, self.url = set(), 7, ""
        self.errors = {}
        self._sockets, self._asked = [], {}

    def said(self, action):
        return [payload for name, payload in self.calls if name == action]

    @property
    def actions(self):
        return [action for action, _ in self.calls]

    @property
    def triggers(self):
        return [event["triggerReason"] for event in self.said("TransactionEvent")]

    async def ask(self, action, payload):
        """Send a request to the station that connected last; return what it answers."""
        identity = f"ask-{len(self._asked)}"
        self._asked[identity] = asyncio.get_running_loop().create_future()
        await self._sockets[-1].send(json.dumps([2, identity, action, payload]))
        return await asyncio.wait_for(self._asked[identity], 5)

    async def connected(self, socket):
        self._sockets.append(socket)
        try:
            async for text in socket:
                await self._take(socket, json.loads(text))
        except ConnectionClosed:
            return

    async def cut(self):
        """Close the connection from this end."""
        await self._sockets[-1].close()

    async def _take(self, socket, frame):
        if frame[0] != 2:
            self._asked[frame[1]].set_result(tuple(frame[2:]) if frame[0] == 4 else frame[2])
            return
        _, identity, action, payload = frame
        self.calls.append((action, payload))
        self.ids.append(identity)
        try:
            await validate_payload(Call(identity, action, payload), self.version)
        except OCPPError as fault:
            self.faults.append((action, repr(fault)))
        if action in self.deaf_to:
            return
        if action in self.errors:
            await socket.send(json.dumps([4, identity, self.errors[action], "", {}]))
            return
        await socket.send(json.dumps([3, identity, self._answer(action, payload)]))

    def _answer(self, action, payload):
        answers = {
            "BootNotification": lambda: {"currentTime": NOW, "interval": 300, "status": "Accepted"},
            "Heartbeat": lambda: {"currentTime": NOW},
            "Authorize": lambda: self._on_authorize(payload),
            "StartTransaction": lambda: self._on_start(payload),
            "DataTransfer": lambda: {"status": "Accepted"},
            "TransactionEvent": lambda: self._on_event(payload),
        }
        return answers.get(action, dict)()

    def _on_authorize(self, payload):
        return self._standing(payload.get("idTag") or payload["idToken"]["idToken"])

    def _on_start(self, payload):
        standing = self._standing(payload["idTag"])
        accepted = standing["idTagInfo"]["status"] == "Accepted"
        return {"transactionId": self.number if accepted else 0, **standing}

    def _standing(self, tag):
        field = "idTagInfo" if self.version == "1.6" else "idTokenInfo"
        return {field: {"status": "Accepted" if tag == TAG else "Invalid"}}

    def _on_event(self, payload):
        answer = {}
        if payload["eventType"] == "Started":
            answer |= self._standing(payload["idToken"]["idToken"])
        if self.limit_euros is not None:
            answer["transactionLimit"] = {"maxCost": self.limit_euros}
        if self.cost_euros is not None:
            answer["totalCost"] = self.cost_euros
        return answer


@asynccontextmanager
async def central(version):
    """Serve a central system on a free port of this machine."""
    here = Central(version)
    protocols = [SUBPROTOCOLS[version]]
    async with serve(here.connected, "127.0.0.1", 0, subprotocols=protocols) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        here.url = f"ws://127.0.0.1:{port}/ocpp"
        yield here


async def eventually(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for is on the other side
            await asyncio.sleep(0.005)
