"""Messages to people: what one is, how a letter becomes one, and the channels they leave by. Knows no domain and no queue.

Start at ``contract.py``. Who is written to, and when it is tried again, is decided in ``identity`` (``service/mail.py``,
``tasks.py``), because a recipient is a user.
"""

from __future__ import annotations

from pilothouse.base.seam import Seam
from pilothouse.notify.contract import Channel

message_channels = Seam("pilothouse.channels", Channel, {
    "memory": "pilothouse.notify.channels.memory:MemoryChannel",
    "smtp": "pilothouse.notify.channels.smtp:SmtpChannel",
})  # fmt: skip
