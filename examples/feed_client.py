"""A patient identity source: announce people to a registry over MLLP, also in GB18030.

Against a running server:  python examples/feed_client.py HOST PORT
Without arguments it starts a registry of its own, so that there is somebody to talk to.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime

from xds import CX, DocumentRegistry, PeerRejected, open_store
from xds.datatypes.hl7 import XPN
from xds.patients.demographics import Demographics
from xds.patients.feed import IdentityFeed
from xds.transactions.iti8 import encode_request
from xds.vocab.hl7 import FeedEvent
from xds_mllp.client import MllpClient
from xds_mllp.endpoint import Endpoint
from xds_mllp.server import MllpServer

DOMAIN = "1.3.6.1.4.1.21367.13.20.1000"
PEOPLE = (
    (CX.of("EX-1", DOMAIN), XPN("Lindqvist", "Marta"), "19540317", "F", "utf-8"),
    (CX.of("EX-2", DOMAIN), XPN("陈", "晓雨"), "19881105", "F", "gb18030"),
)

with ExitStack() as stack:
    if len(sys.argv) == 3:
        host, port = sys.argv[1], int(sys.argv[2])
    else:
        folder = tempfile.mkdtemp()
        store = stack.enter_context(open_store(f"{folder}/registry.sqlite", documents=f"{folder}/documents"))
        server = MllpServer(Endpoint([DocumentRegistry(store)]), port=0)
        host, port = stack.enter_context(server.background())
    client = stack.enter_context(MllpClient(host, port))
    for number, (identifier, name, born, sex, charset) in enumerate(PEOPLE, 1):
        feed = IdentityFeed(
            event=FeedEvent.ADMIT,
            identifiers=(identifier,),
            demographics=Demographics(names=(name,), birth_time=born, sex=sex),
            control_id=f"EX{number}",
            message_time=datetime.now(UTC).strftime("%Y%m%d%H%M%S"),
        )
        message = encode_request(feed, charset=charset)
        answer = client.send(message)
        print(f"{identifier}: {len(bytes(message))} bytes in {charset}, answered {answer.code}")
    try:
        client.send("MSH|^~\\&|A|B|C|D|20260101||ADT^A01|EX3|P|2.3.1\rEVN|A01\rPID|1\rPV1|1|N\r")
    except PeerRejected as refused:
        print("a message without identifier is refused:", refused)
