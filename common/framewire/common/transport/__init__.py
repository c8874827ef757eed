"""The only place that knows ZeroMQ: sockets and their options, and what their errors mean.

A socket belongs to the thread that uses it: open it anywhere, then use and close it in one thread.
Another thread wakes it through a `Waker`.

Why each option is set is in docs/ARCHITECTURE.md; ZMQ_HEARTBEAT_IVL and ZMQ_CONFLATE are never set.
"""

from framewire.common.transport.crowd import Peer
from framewire.common.transport.dialogue import Dialogue, Sent
from framewire.common.transport.pubsub import Publisher, Subscriber
from framewire.common.transport.shortage import Shortage
from framewire.common.transport.sockets import Socket, open_sockets
from framewire.common.transport.waiting import TICK_MS, wait
from framewire.common.transport.waking import Waker
from framewire.common.transport.work import Puller, Pusher

__all__ = [
    "TICK_MS",
    "Dialogue",
    "Peer",
    "Publisher",
    "Puller",
    "Pusher",
    "Sent",
    "Shortage",
    "Socket",
    "Subscriber",
    "Waker",
    "open_sockets",
    "wait",
]
