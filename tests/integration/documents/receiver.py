"""Somebody who subscribes: keeps what it is sent, and answers as it is told to."""

import asyncio
import contextlib
from contextlib import closing
from dataclasses import dataclass, field


@dataclass
class Receiver:
    """A small HTTP server; ``answers`` are used up one by one, the last for ever."""

    answers: list = field(default_factory=lambda: [(200, b"")])
    seen: list = field(default_factory=list)
    """(method, path, headers, body) of each request."""
    url: str = ""
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count):
        """Wait until it has been sent ``count`` things."""
        while len(self.seen) < count:
            self.more.clear()
            await self.more.wait()

    def bodies(self):
        return [body for _, _, _, body in self.seen]

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                pairs = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.seen.append((method, path, headers, body))
                self.more.set()
                await self.answer(writer, path)

    async def answer(self, writer, _path):
        status, content = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 0:
            writer.transport.abort()
            raise ConnectionResetError
        writer.write(
            f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\n"
            f"content-length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()


@contextlib.asynccontextmanager
async def receiving(receiver):
    """Run ``receiver`` on a free port."""
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield receiver
