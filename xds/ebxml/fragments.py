"""What the stores keep of a registry object: its XML with holes in it, compressed (DESIGN D1).

A stored fragment is a format byte and a content. Format 0: the content is the XML. Format 1: it is a Zstandard frame
made with the raw-content dictionary ``fragments.1.dict``, which is part of every stored fragment from then on and so
never changes; a better dictionary, or another way to write the XML, is another format byte.

The XML has holes: characters XML 1.0 cannot carry (its production 2), so nothing that was in a message looks like one.
Each stands for what a column of the row says (:class:`~xds.ports.StoredObject`): identifiers that would not compress,
and what changes after registration or depends on who asks.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

import zstandard

from xds.ebxml.rim import Rendering, decode_object, render, slot
from xds.ebxml.xml import PREFIXES, attribute, parse
from xds.errors import MalformedMessage
from xds.metadata.registry_object import RegistryObject
from xds.ports import StoredObject
from xds.vocab.ebrim import ObjectKind, Scheme, SlotName, Status

RAW: Final = 0
ZSTD_1: Final = 1
# The largest XML a fragment may have: more than twice what comes in through the door for messages
MAX_SIZE: Final = 40 * 2**20

# the holes. They are in every stored fragment: none of them changes its meaning
_ID: Final = "\x01"
_PATIENT_ID: Final = "\x02"
_HOME: Final = "\x03"  # the attribute, or nothing
_STATUS: Final = "\x04"
_LID: Final = "\x05"
_VERSION: Final = "\x06"
_LAST_UPDATE_TIME: Final = "\x07"  # the Slot, or nothing
_SOURCE: Final = "\x08"
_TARGET: Final = "\x0b"
_ASSOCIATION_TYPE: Final = "\x0c"


class FragmentError(ValueError):
    """A stored fragment cannot be read: its format is unknown to this version, or its bytes are damaged."""


# --------------------------------------------------------------------------- writing

_ATTRIBUTES: Final = f' lid="{_LID}"{_HOME} status="{_STATUS}"'
_VERSION_INFO: Final = f'<rim:VersionInfo versionName="{_VERSION}"/>'
_OBJECT: Final = Rendering(_ID, _ATTRIBUTES, _VERSION_INFO, patient_id=_PATIENT_ID)
_FOLDER: Final = Rendering(_ID, _ATTRIBUTES, _VERSION_INFO, patient_id=_PATIENT_ID, slot=_LAST_UPDATE_TIME)
_ASSOCIATION: Final = Rendering(
    _ID,
    f'{_ATTRIBUTES} associationType="{_ASSOCIATION_TYPE}" sourceObject="{_SOURCE}" targetObject="{_TARGET}"',
    _VERSION_INFO,
)
_RENDERINGS: Final = {
    ObjectKind.DOCUMENT_ENTRY: _OBJECT,
    ObjectKind.SUBMISSION_SET: _OBJECT,
    ObjectKind.FOLDER: _FOLDER,
    ObjectKind.ASSOCIATION: _ASSOCIATION,
}


def encode(registry_object: RegistryObject) -> bytes:
    """The stored fragment of a clean object: ``render_with_holes``, then ``pack``."""
    return pack([render_with_holes(registry_object)])[0]


def render_with_holes(registry_object: RegistryObject) -> bytes:
    """The XML of a clean object that is stored, before compression.

    Its id, patientId, home, status, lid, version, lastUpdateTime, association type, source and target are left to the
    columns. Raises ValueError for text that XML cannot carry, and for an object longer than ``MAX_SIZE``.
    """
    content = render(registry_object, _RENDERINGS[registry_object.kind]).encode()
    if len(content) > MAX_SIZE:
        raise ValueError(f"a registry object of more than {MAX_SIZE} bytes cannot be stored")
    return content


def pack(contents: Sequence[bytes]) -> list[bytes]:
    """The fragments of what ``render_with_holes`` gave, each in whichever of the two formats is shorter.

    Many at once cost a third of as many by themselves: the dictionary's tables stay in the processor's cache, and the
    interpreter is let go and taken back once.
    """
    if not contents:
        return []
    frames = _CODECS.compress(list(contents))
    return [_shorter(frames[n].tobytes(), content) for n, content in enumerate(contents)]


def _shorter(frame: bytes, content: bytes) -> bytes:
    return b"\1" + frame if len(frame) < len(content) else b"\0" + content


# --------------------------------------------------------------------------- reading


def fill(stored: StoredObject, *, home: str | None = None) -> bytes:
    """The XML of a stored object as it goes into an answer, with the prefix ``rim`` undeclared.

    ``home`` is the homeCommunityId for @home (ITI TF-3, 4.2.3.2.12); None leaves the attribute out.
    """
    entry_uuid = stored.entry_uuid
    content = (
        _content(stored.fragment)
        .replace(b"\1", entry_uuid.encode())
        .replace(b"\3", _home(home).encode())
        .replace(b"\4", _STATUS_URNS[stored.status])
        .replace(b"\5", stored.lid.encode())
        .replace(b"\6", str(stored.version).encode())
    )
    if stored.kind is ObjectKind.ASSOCIATION:
        return (
            content.replace(b"\x08", attribute(stored.source).encode())
            .replace(b"\x0b", attribute(stored.target).encode())
            .replace(b"\x0c", attribute(stored.association_type).encode())
        )
    if stored.kind is ObjectKind.FOLDER:
        content = content.replace(b"\7", _last_update_time(stored.last_update_time))
    return content.replace(b"\2", attribute(stored.patient_id).encode())


_STATUS_URNS: Final = {status: status.urn.encode() for status in Status}


def _last_update_time(value: int | None) -> bytes:
    return b"" if value is None else slot(SlotName.LAST_UPDATE_TIME, [f"{value:014d}"]).encode()


def _content(fragment: bytes) -> bytes:
    """The XML with holes. Raises FragmentError."""
    format_ = fragment[:1]
    if format_ == b"\1":
        return _CODECS.decompress(fragment[1:])
    if format_ == b"\0":
        return fragment[1:]
    raise FragmentError(f"a stored fragment has format {format_.hex() or 'nothing'}, which this version cannot read")


class _Codecs(threading.local):
    """A compressor and a decompressor per thread: they keep their working memory and may not be shared."""

    def __init__(self) -> None:
        compressor = zstandard.ZstdCompressor(dict_data=_DICTIONARY, compression_params=_PARAMETERS)
        self.compress = compressor.multi_compress_to_buffer
        self._decompress = zstandard.ZstdDecompressor(dict_data=_DICTIONARY).decompress

    def decompress(self, frame: bytes) -> bytes:
        try:
            # the frame says how long its content is, and that much is allocated
            if not 0 < zstandard.frame_content_size(frame) <= MAX_SIZE:
                raise FragmentError("a stored fragment says it is longer than a fragment may be")
            return self._decompress(frame)
        except zstandard.ZstdError:
            raise FragmentError("a stored fragment is damaged") from None


_DICTIONARY: Final = zstandard.ZstdCompressionDict(
    resources.files("xds.ebxml").joinpath("fragments.1.dict").read_bytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT
)
# chosen by measurement over typical objects: a tenth smaller than level 4 and as fast, half as long as level 6
_PARAMETERS: Final = zstandard.ZstdCompressionParameters(
    window_log=17,
    chain_log=15,
    hash_log=15,
    search_log=2,
    min_match=6,
    target_length=16,
    strategy=zstandard.STRATEGY_LAZY,
    write_content_size=True,
    write_checksum=False,
    write_dict_id=False,
)
_DICTIONARY.precompute_compress(compression_params=_PARAMETERS)
_CODECS: Final = _Codecs()


def decode(stored: StoredObject, *, home: str | None = None) -> RegistryObject:
    """A stored object as a neutral object, with what its columns say."""
    content = _ROOT + fill(stored, home=home) + _END
    try:
        element = parse(content, max_size=2 * MAX_SIZE, max_tags=MAX_SIZE, max_attributes=MAX_SIZE)
    except MalformedMessage:
        raise FragmentError("a stored fragment is damaged") from None
    return decode_object(element[0])


_ROOT: Final = b"<rim:RegistryObjectList" + PREFIXES + b">"
_END: Final = b"</rim:RegistryObjectList>"


@dataclass(frozen=True, slots=True)
class Authors:
    """authorPerson and authorInstitution of every author of an object, as they came."""

    persons: list[str]
    institutions: list[str]


def authors(fragment: bytes) -> Authors:
    """The authors in a stored fragment of a DocumentEntry or SubmissionSet.

    Found by their text, which ``encode`` alone writes: a tenth of what parsing would cost.
    """
    found = Authors([], [])
    for author in _AUTHOR.findall(_content(fragment)):
        for name, values in _AUTHOR_SLOT.findall(author):
            place = found.persons if name == b"authorPerson" else found.institutions
            place += [_unescaped(value.decode()) for value in _VALUE.findall(values)]
    return found


_AUTHOR_SCHEMES: Final = "|".join((Scheme.DOCUMENT_ENTRY_AUTHOR.value, Scheme.SUBMISSION_SET_AUTHOR.value)).encode()
# no attribute contains a ">" as it is, no element of these stands inside another of its name
_AUTHOR: Final = re.compile(
    rb'<rim:Classification [^>]*classificationScheme="(?:'
    + _AUTHOR_SCHEMES
    + rb')"[^>]*(?<!/)>(.*?)</rim:Classification>',
    re.DOTALL,
)
_AUTHOR_SLOT: Final = re.compile(
    rb'<rim:Slot name="(authorPerson|authorInstitution)"><rim:ValueList>(.*?)</rim:ValueList>', re.DOTALL
)
_VALUE: Final = re.compile(rb"<rim:Value>(.*?)</rim:Value>", re.DOTALL)


def slot_values(fragment: bytes, name: str) -> tuple[str, ...]:
    """The values of one of the object's own Slots in a stored fragment; empty when it has none.

    Found as ``authors`` are, and as cheap. Slots that are columns (lastUpdateTime) are not in a fragment.
    """
    content = _content(fragment)
    # what follows VersionInfo are the Slots of Classifications and ExternalIdentifiers
    start = content.find(_slot_opening(name), 0, content.find(b"<rim:VersionInfo"))
    if start < 0:
        return ()
    end = content.index(b"</rim:ValueList>", start)
    return tuple(_unescaped(value.decode()) for value in _VALUE.findall(content, start, end))


@lru_cache(maxsize=64)
def _slot_opening(name: str) -> bytes:
    return slot(name, ()).removesuffix("</rim:ValueList></rim:Slot>").encode()


def _unescaped(value: str) -> str:
    """The opposite of ``xml.text``."""
    if "&" not in value:
        return value
    return value.replace("&#13;", "\r").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")


def object_ref(id: str, home: str | None = None) -> bytes:
    """A rim:ObjectRef, what a query with returnType ObjectRef answers (ITI TF-2, 3.18.4.1.2.6)."""
    return f'<rim:ObjectRef id="{attribute(id)}"{_home(home)}/>'.encode()


def _home(home: str | None) -> str:
    return "" if home is None else f' home="{attribute(home)}"'
