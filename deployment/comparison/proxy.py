"""Puts TCP connections through a delay, as a distant server would.

Arguments: the round trip in milliseconds, then `ADDRESS:PORT=ADDRESS:PORT` for each way. What
arrives goes on half a round trip later, in a queue of each direction of its own: the delay
limits no throughput. A connection is accepted at once by this machine's kernel, so its first
bytes each way carry the round trip that a distant server's handshake would have cost. It ends
with whoever started it: when its stdin does.
"""

import asyncio
import os
import socket
import sys
import threading

CHUNK = 256 * 1024


class Way:
    """One direction of a connection: bytes with the time at which they are due."""

    def __init__(self, reader, writer, delay, earliest):
        self.reader, self.writer = reader, writer
        self.delay, self.earliest = delay, earliest
        self.queue = asyncio.Queue()

    async def run(self):
        await asyncio.gather(self.take_in(), self.give_out())

    async def take_in(self):
        now = asyncio.get_running_loop().time
        data = True
        while data:
            try:
                data = await self.reader.read(CHUNK)
            except OSError:
                data = b""
            self.queue.put_nowait((max(now(), self.earliest) + self.delay, data))

    async def give_out(self):
        now = asyncio.get_running_loop().time
        data = True
        while data:
            due, data = await self.queue.get()
            await asyncio.sleep(max(0, due - now()))
            try:
                if data:
                    self.writer.write(data)
                    await self.writer.drain()
                elif self.writer.can_write_eof():
                    self.writer.write_eof()
            except OSError:
                return  # the other direction sees it, too


async def serve(way, delay):
    here, there = way.split("=")
    address, port = here.rsplit(":", 1)

    async def connected(reader, writer):
        begun = asyncio.get_running_loop().time()
        try:
            other = await asyncio.open_connection(*there.rsplit(":", 1))
        except OSError:
            writer.close()
            return
        for each in (writer, other[1]):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Neither side's bytes leave before the handshake would have ended: the server's with
        # its first answer, the client's once it has heard of it.
        established = begun + 2 * delay
        outward = Way(reader, other[1], delay, established)
        inward = Way(other[0], writer, delay, established + delay)
        try:
            await asyncio.gather(outward.run(), inward.run())
        finally:
            writer.close()
            other[1].close()

    return await asyncio.start_server(connected, address, int(port))


async def main():
    delay = float(sys.argv[1]) / 2000
    servers = [await serve(way, delay) for way in sys.argv[2:]]
    threading.Thread(target=end_with_stdin, daemon=True).start()
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


asyncio.run(main())
