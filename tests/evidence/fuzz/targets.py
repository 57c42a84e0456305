"""What is fed with damaged messages, and what must hold for every one of them.

A target makes input n from the seed of n and looks at it; it raises for whatever must not be. What it returns names
the outcome, so that the report shows how deep the inputs got.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from lxml import etree

from tests.evidence import messages
from tests.evidence.fuzz import mutate
from tests.evidence.fuzz.identities import Feeds, PatientQueries
from tests.xds_soap import systems
from xds.ebxml import rim, rs, xml
from xds.errors import MalformedMessage, MessageTooLarge, StoreUnavailable
from xds.hl7v2.batch import is_batch, read_batch
from xds.hl7v2.er7 import parse
from xds.hl7v2.segments import read_header
from xds.metadata.identity import assign_uuids
from xds.metadata.rules import Profile, check
from xds.transactions.validate import Measure
from xds.vocab.namespaces import SOAP, WSA
from xds.vocab.queries import STORED_QUERIES
from xds_mllp.endpoint import Endpoint
from xds_mllp.framing import Broken, Framer, frame
from xds_soap.limits import Limits, Quota
from xds_soap.mime import parse_header
from xds_soap.mtom import PackageReader
from xds_soap.staging import Staging

PATIENT = messages.patient(1)
UNKNOWN = messages.patient(2)
DOCUMENT = b"\r\n<ClinicalDocument/>\n"


class Target(Protocol):
    def look_at(self, n: int, r: random.Random) -> str:
        """Make input ``n`` and look at it; the name of the outcome. Raises for what must not be."""

    def settle(self) -> None:
        """After some thousands of inputs: look at what they left behind."""


def pieces(r: random.Random, data: bytes) -> Iterator[bytes]:
    """The same bytes, cut anywhere."""
    position = 0
    while position < len(data):
        size = r.choice((1, 2, 3, 7, 50, 400, 5000, 60_000))
        yield data[position : position + size]
        position += size


class Bugs(logging.Handler):
    """What our loggers call an error while an input is looked at is a bug of ours."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []
        for name in ("xds_soap", "xds_mllp", "xds"):
            logging.getLogger(name).addHandler(self)
            logging.getLogger(name).propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))

    def expect_none(self) -> None:
        if self.seen:
            seen, self.seen = self.seen, []
            raise AssertionError(f"an error of ours: {seen[0]}")


# --------------------------------------------------------------------------- MIME

MIME_WORDS = [
    b"--",
    b"\r\n--" + messages.BOUNDARY.encode(),
    b"--" + messages.BOUNDARY.encode() + b"--",
    b"Content-Type: ",
    b"Content-ID: <root@evidence>",
    b"Content-ID: ",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Transfer-Encoding: 8bit",
    b"application/xop+xml",
    b"\r\n\r\n",
    b"\n\n",
    b"=3D=\r\n",
    b"multipart/related",
    b'; boundary="',
    b'; start="<root@evidence>"',
    b"; type=",
    b'; start-info="application/soap+xml; action=\\"x\\""',
]


class Mime:
    """The cut of a package is the same however its bytes come, and it ends with parts or with MalformedMessage."""

    def __init__(self) -> None:
        package = messages.iti41("1.2.3", PATIENT, DOCUMENT)
        self._bodies = [
            package,
            package.replace(b"\r\n", b"\n"),
            b"preamble\r\n" + package + b"epilogue",
            messages.iti43("1.2.3"),
            package.replace(DOCUMENT, b"PGEvPg==").replace(
                b"text/xml", b"text/xml\r\nContent-Transfer-Encoding: base64"
            ),
        ]
        self._types = [messages.MTOM_TYPE.encode()]

    def look_at(self, n: int, r: random.Random) -> str:
        content_type = r.choice(self._types)
        if r.random() < 0.3:
            content_type = mutate.damaged(r, content_type, self._types, MIME_WORDS)
        body = r.choice(self._bodies)
        if r.random() < 0.95:
            body = mutate.damaged(r, body, self._bodies, MIME_WORDS)
        _, parameters = parse_header(content_type.decode("latin-1"))
        whole = self._read(parameters, [body])
        cut = self._read(parameters, list(pieces(r, body)))
        if whole != cut:
            raise AssertionError("the package is read differently when its bytes come in other pieces")
        return str(whole[0])

    @staticmethod
    def _read(parameters: Any, body: list[bytes]) -> tuple[object, ...]:
        staging = Staging(Measure)
        limits = Limits(envelope=20_000, early_parts=10_000, parts=20, part_headers=2_000)
        try:
            reader = PackageReader(parameters, staging, limits, Quota(10_000))
            try:
                for piece in body:
                    reader.feed(piece)
                reader.close()
                parts = {name: (part.size, part.hash) for name, part in staging.parts.items()}
                return "package", hashlib.sha1(reader.root).digest(), tuple(parts.items())
            finally:
                reader.release()
        except (MalformedMessage, MessageTooLarge, StoreUnavailable) as error:
            return (type(error).__name__,)

    def settle(self) -> None:
        """Nothing stays."""


# --------------------------------------------------------------------------- SOAP

SOAP_WORDS = [
    *MIME_WORDS,
    b"<a:Action s:mustUnderstand='1'>",
    b"urn:ihe:iti:2007:RegistryStoredQuery",
    b"urn:ihe:iti:2007:RetrieveDocumentSet",
    b"urn:ihe:iti:2007:RegisterDocumentSet-b",
    b"<a:ReplyTo><a:Address>http://127.0.0.1:9/</a:Address></a:ReplyTo>",
    b"<a:MessageID>urn:uuid:1</a:MessageID>",
    b"http://schemas.xmlsoap.org/soap/envelope/",
    b"<!DOCTYPE x>",
    b"<?x ?>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"&#0;",
    b"&amp;",
    b'<?xml version="1.0" encoding="UTF-16"?>',
    b'<?xml version="1.0" encoding="GB18030"?>',
    b'xmlns:rim="',
    b'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:doc@evidence"/>',
    b"cid:",
]
_STATUS = {200, 202, 400, 404, 413, 415, 500, 503}
_MESSAGE_ID = f"{{{WSA}}}MessageID"
_RELATES_TO = f"{{{WSA}}}RelatesTo"


class Soap:
    """A whole endpoint on a real store: every request has an answer that is SOAP, and only Success stores anything."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._platform = self._stack.enter_context(systems.platform(folder, patients="known"))
        self._patient = ""
        self._bugs = Bugs()
        self._staging = folder / "documents" / "staging"
        self._stored = 0
        self._templates = [
            ("/repository", messages.MTOM_TYPE, b"".join(messages.mtom(self._root("ITI-41"), [DOCUMENT]))),
            ("/registry", messages.SOAP_TYPE, self._root("ITI-42")),
            ("/registry", messages.SOAP_TYPE, self._root("ITI-18")),
            ("/repository", messages.MTOM_TYPE, b"".join(messages.mtom(self._root("ITI-43")))),
        ]
        self._trees = [etree.fromstring(self._root(name)) for name in ("ITI-41", "ITI-42", "ITI-18", "ITI-43")]
        self._corpus = [body for _, _, body in self._templates]

    @staticmethod
    def _root(name: str) -> bytes:
        if name == "ITI-41":
            return messages.iti41_envelope("1.2.826.@N@", "@PID@")
        if name == "ITI-42":
            return messages.iti42("1.2.826.@N@", "@PID@", DOCUMENT)
        if name == "ITI-18":
            return messages.iti18("@PID@")
        [root] = re.findall(rb"<s:Envelope.*</s:Envelope>", messages.iti43("1.2.826.@N@"), re.DOTALL)
        return bytes(root)

    def look_at(self, n: int, r: random.Random) -> str:
        index = r.randrange(4)
        path, kind, body = self._templates[index]
        if r.random() < 0.5:
            root = mutate.rearranged(r, self._trees[index])
            body = b"".join(messages.mtom(root, [DOCUMENT])) if index == 0 else root
            kind = messages.MTOM_TYPE if index == 0 else messages.SOAP_TYPE
        elif r.random() < 0.95:
            body = mutate.damaged(r, body, self._corpus, SOAP_WORDS)
        if r.random() < 0.1:
            kind = mutate.damaged(r, kind.encode(), self._corpus, SOAP_WORDS).decode("latin-1")
        patient = self._known(n) if n % 50 == 0 else UNKNOWN
        body = body.replace(b"@PID@", patient.encode()).replace(b"@N@", b"%d" % n)
        headers = {"soapaction": '"x"'} if r.random() < 0.05 else {}
        answer = self._platform.endpoint.handle(path, kind, pieces(r, body), headers=headers)
        content = b"".join(answer.chunks)
        self._bugs.expect_none()
        if answer.status not in _STATUS:
            raise AssertionError(f"HTTP {answer.status}")
        if b"internal error" in content:
            raise AssertionError("an internal error")
        return self._outcome(dict(answer.headers).get("Content-Type", ""), answer.status, content, body)

    def _known(self, n: int) -> str:
        """A patient who is registered; after some inputs another one, so that no answer grows with the store."""
        patient = messages.patient(1000 + n // 5000)
        if patient != self._patient:
            self._patient = patient
            self._platform.store.transaction(lambda transaction: transaction.announce(patient.replace("&amp;", "&")))
        return patient

    def _outcome(self, kind: str, status: int, content: bytes, body: bytes) -> str:
        if kind.startswith("text/plain") or not content:
            return f"HTTP {status}"
        found = re.search(rb"<s:Envelope.*</s:Envelope>", content, re.DOTALL)
        if found is None:
            if b"schemas.xmlsoap.org/soap/envelope/" in content:
                return "SOAP 1.1 fault"
            raise AssertionError("the answer is no SOAP")
        envelope = etree.fromstring(found[0])
        with contextlib.suppress(MalformedMessage, MessageTooLarge):
            self._check_relation(envelope, body)
        [soap_body] = envelope.iter(f"{{{SOAP}}}Body")
        if len(soap_body) != 1:
            raise AssertionError("the answer has no body")
        name = etree.QName(soap_body[0]).localname
        return "Fault" if name == "Fault" else f"{name} {'Success' if b'Type:Success' in content else 'Failure'}"

    @staticmethod
    def _check_relation(answer: etree._Element, request: bytes) -> None:
        # not by lxml itself, which would keep the names of every request and expand its entities
        found = re.search(rb"<s:Envelope.*</s:Envelope>", request, re.DOTALL)
        if found is None:
            return
        header = xml.parse(found[0]).find(f"{{{SOAP}}}Header")
        asked = [] if header is None else [element.text or "" for element in header.iterchildren(_MESSAGE_ID)]
        related = [e.text for e in answer.iter(_RELATES_TO)]
        if len(asked) == 1 and asked[0].strip() and related and related != [asked[0].strip()]:
            raise AssertionError("the answer relates to another message")

    def settle(self) -> None:
        left = [path.name for path in self._staging.iterdir()]
        if left:
            raise AssertionError(f"{len(left)} staged files are left")


# --------------------------------------------------------------------------- ebRIM


class Ebrim:
    """What is read is judged without a crash; what is clean is written, and read again is the same."""

    def __init__(self) -> None:
        texts = [
            messages.submit_objects("1.2.3", PATIENT),
            messages.submit_objects("1.2.3", PATIENT, sha1="0" * 40, size=5),
        ]
        self._corpus = [text.encode() for text in texts]
        self._trees = [etree.fromstring(text) for text in self._corpus]

    def look_at(self, n: int, r: random.Random) -> str:
        if r.random() < 0.8:
            data = mutate.rearranged(r, r.choice(self._trees))
        else:
            data = mutate.damaged(r, r.choice(self._corpus), self._corpus, SOAP_WORDS)
        try:
            submission = rs.decode_submit_objects(xml.parse(data))
        except (MalformedMessage, MessageTooLarge) as error:
            return type(error).__name__
        findings = list(check(submission, profile=r.choice(list(Profile))))
        for finding in findings:
            finding.to_error()
        if findings:
            return "findings"
        assign_uuids(submission)
        for registry_object in submission.objects:
            written = rim.encode(registry_object)
            if rim.encode(rim.decode_object(xml.parse(_rooted(written))[0])) != written:
                raise AssertionError("what is written and read again is not the same")
        return "clean"

    def settle(self) -> None:
        """Nothing stays."""


def _rooted(content: bytes) -> bytes:
    return b"<rim:RegistryObjectList" + xml.PREFIXES + b">" + content + b"</rim:RegistryObjectList>"


# --------------------------------------------------------------------------- queries


class Queries:
    """Every query has a result or is refused."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._platform = self._stack.enter_context(systems.platform(folder, patients="any"))
        for number in range(20):
            self._platform.endpoint.handle(
                "/repository", messages.MTOM_TYPE, messages.iti41(f"1.2.826.5.{number}", PATIENT, DOCUMENT)
            )
        self._bugs = Bugs()
        self._queries = list(STORED_QUERIES)
        patient = PATIENT.replace("&amp;", "&")
        self._values = [
            f"'{patient}'",
            "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved','x')",
            "'1.2.826.5.1'",
            "('1.2.826.5.1','1.2.826.5.2')",
            "20260904123000",
            "('%Zhang%')",
            "('34133-9^^2.16.840.1.113883.6.1')",
            "('urn:uuid:00000000-0000-4000-8000-000000000000')",
            "'urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1'",
            *mutate.TEXTS,
        ]
        # what a parameter of such a name takes
        self._likely = [
            ("PatientId", self._values[0]),
            ("patientId", self._values[0]),
            ("Status", self._values[1]),
            ("UniqueId", self._values[4]),
            ("UUID", self._values[8]),
            ("uuid", self._values[8]),
            ("Time", self._values[5]),
            ("Person", self._values[6]),
            ("Code", self._values[7]),
            ("AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')"),
            ("Type", "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')"),
        ]
        self._words = [b"'", b"','", b"('", b"')", b"''", b"%", b"_", b"^^", b"&amp;", b"\\", b"$XDS", b",", b"(", b")"]

    def look_at(self, n: int, r: random.Random) -> str:
        query = r.choice(self._queries)
        slots = []
        parameters = list(query.parameters)
        for parameter in parameters:
            if r.random() < (0.9 if parameter.required else 0.25):
                values = [self._value(parameter.name, r) for _ in range(r.choice((1, 1, 1, 1, 2, 3, 30)))]
                name = parameter.name if r.random() < 0.97 else r.choice(mutate.TEXTS)
                slots.append(rim.slot(name, values))
                if r.random() < 0.03:
                    slots.append(slots[-1])
        return_type = r.choice(("LeafClass", "LeafClass", "ObjectRef", "ObjectRef", "", "RegistryObject"))
        body = (
            '<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
            'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
            f'<q:ResponseOption returnComposedObjects="true" returnType="{return_type}"/>'
            f'<rim:AdhocQuery id="{query.id}">{"".join(slots)}</rim:AdhocQuery></q:AdhocQueryRequest>'
        )
        content = messages.envelope("ITI-18", body)
        if r.random() < 0.1:
            content = mutate.damaged(r, content, [content], self._words)
        answer = self._platform.endpoint.handle("/registry", messages.SOAP_TYPE, content)
        text = b"".join(answer.chunks)
        self._bugs.expect_none()
        if b"internal error" in text:
            raise AssertionError("an internal error")
        if answer.status == 200 and b"AdhocQueryResponse" in text:
            return "Success" if b"Type:Success" in text else "Failure"
        return "Fault" if answer.status in (400, 413, 500) else f"HTTP {answer.status}"

    def _value(self, name: str, r: random.Random) -> str:
        likely = [value for word, value in self._likely if word in name]
        value = likely[0] if likely and r.random() < 0.8 else r.choice(self._values)
        if r.random() < 0.15:
            value = mutate.damaged(r, value.encode(), [v.encode() for v in self._values], self._words).decode(
                "utf-8", "replace"
            )
            value = xml.legal(value)
        return value

    def settle(self) -> None:
        """Queries leave nothing behind."""


# --------------------------------------------------------------------------- HL7 v2

ER7_WORDS = [
    b"MSH|^~\\&|",
    b"\rPID|",
    b"\rMRG|",
    b"\rEVN|",
    b"\rZZZ|",
    b"BHS|^~\\&|",
    b"FHS|^~\\&|",
    b"BTS|1",
    b"FTS|1",
    b"\\F\\",
    b"\\X0D\\",
    b"\\.br\\",
    b"\\E\\",
    b"\\",
    b'""',
    b"||",
    b"~",
    b"^",
    b"&",
    b"|AL|NE|",
    b"|NE|NE|",
    b"UNICODE UTF-8",
    b"GB 18030-2000",
    b"8859/1",
    b"BIG-5",
    b"UNICODE UTF-16",
    b"ADT^A01",
    b"ADT^A40^ADT_A39",
    b"QBP^Q22",
    b"ACK",
    b"&1.3.6.1.4.1.21367.13.20.1000&ISO",
    "\u5f20".encode(),
    "\u5f20".encode("gb18030"),
]


class Er7:
    """Every message has an answer that can be read, and what is read and written again says the same."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._platform = self._stack.enter_context(systems.platform(folder, patients="known"))
        self._endpoint = Endpoint([self._platform.registry])
        self._bugs = Bugs()
        plain = messages.iti8(1)[1:-2]
        chinese = (
            "MSH|^~\\&|HIS|EAST|XDS|REGION|20260101000000||ADT^A08^ADT_A01|C1|P|2.5|||AL|NE|CHN|GB 18030-2000\r"
            "EVN||20260101000000\rPID|1||P5^^^&1.3.6.1.4.1.21367.13.20.1000&ISO~X^^^H&1.2&ISO||\u6d4b\u8bd5^\u75c5\u4eba"
            "||19700101|F|||\u5317\u4eac\\S\\\\X41\\\rNK1|1\rPV1|1|O\rZXX|a^b&c~d\r"
        ).encode("gb18030")
        batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + plain + plain + b"BTS|2\rFTS|1\r"
        self._corpus = [plain, chinese, plain.replace(b"\r", b"\n"), plain.replace(b"\r", b"\r\n"), batch]

    def look_at(self, n: int, r: random.Random) -> str:
        data = mutate.damaged(r, r.choice(self._corpus), self._corpus, ER7_WORDS)
        if n % 20:  # durable writes are slow, and all alike
            data = data.replace(b"|ADT^A0", b"|ADT^A3")
        answers = self._endpoint.respond(data)
        self._bugs.expect_none()
        code = "no answer"
        for answer in answers:
            if is_batch(answer):
                code = "batch"
                acknowledgements = read_batch(answer).messages
            else:
                acknowledgements = [answer]
            for acknowledgement in acknowledgements:
                if b"not in the character set of MSH-18" in acknowledgement:
                    code = "not in its character set"  # the header is echoed as it came
                    continue
                read = parse(acknowledgement)
                if read_header(read).message_type not in ("ACK", "RSP"):
                    raise AssertionError("the answer is no acknowledgement")
                code = code if code == "batch" else read.value("MSA-1")
        self._round_trip(data)
        return code

    @staticmethod
    def _round_trip(data: bytes) -> None:
        try:
            message = parse(data)
        except MalformedMessage:
            return
        again = parse(bytes(message))
        first = [[str(field) for field in segment] for segment in message.segments]
        second = [[str(field) for field in segment] for segment in again.segments]
        if first != second:
            raise AssertionError("a message that is written and read again says something else")

    def settle(self) -> None:
        """An identifier more or less."""


class Framing:
    """The messages in a stream are the same however it is cut into reads."""

    def __init__(self) -> None:
        plain = messages.iti8(1)
        self._corpus = [plain, plain * 3, frame(b"MSH|x") + b"\r\n" + plain, b"\n" + plain[:-1], b"\x0b\x06\x1c\r"]
        self._words = [
            b"\x0b",
            b"\x1c",
            b"\r",
            b"\x1c\r",
            b"\x0bMSH|^~\\&|",
            b"\x1c\r\x0b",
            b"\x0bBHS",
            b"\x06",
            b"\x15",
        ]

    def look_at(self, n: int, r: random.Random) -> str:
        data = mutate.damaged(r, r.choice(self._corpus), self._corpus, self._words)
        limit = r.choice((10, 100, 1000, 100_000))
        whole, inside, skipped = self._read([data], limit)
        again = self._read(list(pieces(r, data)), limit)
        if (whole, inside, skipped) != again:
            raise AssertionError("the stream is read differently when it is cut into other reads")
        if any(isinstance(message, bytes) and len(message) > limit for message in whole):
            raise AssertionError("a message is longer than the limit")
        return f"{min(len(whole), 5)} messages" + (", broken" if any(isinstance(m, Broken) for m in whole) else "")

    @staticmethod
    def _read(reads: list[bytes], limit: int) -> tuple[list[bytes | Broken], bool, int]:
        framer = Framer(max_size=limit)
        return [message for read in reads for message in framer.receive(read)], framer.inside, framer.skipped

    def settle(self) -> None:
        """Nothing stays."""


def opened(name: str) -> Target:
    """A target, with a store of its own where it needs one."""
    if name in ("soap", "queries", "er7"):
        # in memory: durability is proven elsewhere
        shm = Path("/dev/shm")
        folder = Path(tempfile.mkdtemp(prefix="xds-fuzz-", dir=shm if shm.is_dir() else None))
        return {"soap": Soap, "queries": Queries, "er7": Er7}[name](folder)
    return {
        "mime": Mime,
        "ebrim": Ebrim,
        "framing": Framing,
        "feeds": Feeds,
        "patient-queries": PatientQueries,
    }[name]()


NAMES = ("framing", "er7", "feeds", "patient-queries", "mime", "ebrim", "queries", "soap")
