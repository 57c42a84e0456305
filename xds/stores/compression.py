"""Small documents in the database: CDA and other text shrinks to a fifth or less, images and PDF do not."""

from __future__ import annotations

import threading
from typing import Final

import zstandard

from xds.ports import StagedDocument
from xds.stores.schema import ContentFormat

_LEVEL: Final = 1  # 13 kB of CDA: 40 µs; level 3 takes twice as long for a few per cent
_SMALLEST: Final = 512
_WORTH: Final = 0.8  # kept compressed only when this much smaller: reading plain bytes costs nothing
_local = threading.local()


def compressed(content: bytes) -> bytes | None:
    """``content`` compressed, or None when that is not worth it.

    What decides is the bytes, not the declared MIME type: text has no NUL byte in its first kilobyte and is not PDF.
    """
    head = content[:1024]
    if len(content) < _SMALLEST or b"\0" in head or head.startswith(b"%PDF"):
        return None
    compressor = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    packed: bytes = compressor.compress(content)
    return packed if len(packed) < len(content) * _WORTH else None


def decompressed(content: bytes, size: int) -> bytes:
    decompressor = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    plain: bytes = decompressor.decompress(content, max_output_size=size)
    return plain


def packed_content(staged: StagedDocument) -> tuple[ContentFormat, bytes]:
    """How the content of a small document is kept: compressed while it was staged, or as it is."""
    assert staged.content is not None
    if staged.packed is not None:
        return ContentFormat.ZSTD, staged.packed
    return ContentFormat.PLAIN, staged.content
