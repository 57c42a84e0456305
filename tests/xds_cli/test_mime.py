"""Files are recognised by what is in them, then by their name."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds_cli.mime import guess_mime_type


@pytest.mark.parametrize(
    ("name", "content", "mime_type"),
    [
        ("a.pdf", b"%PDF-1.4\n", "application/pdf"),
        ("no-extension", b"%PDF-1.7\n", "application/pdf"),
        ("a.xml", b'<?xml version="1.0"?><a/>', "text/xml"),
        ("a.xml", b"<a/>", "text/xml"),
        ("cda", b"\xef\xbb\xbf<ClinicalDocument xmlns='urn:hl7-org:v3'/>", "text/xml"),
        ("utf16.bin", '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"), "text/xml"),
        ("a.png", b"\x89PNG\r\n\x1a\n....", "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0....", "image/jpeg"),
        ("scan.tif", b"II*\x00....", "image/tiff"),
        ("slice.dcm", b"\x00" * 128 + b"DICM", "application/dicom"),
        ("note.txt", b"hello", "text/plain"),
        ("note.txt", "出院".encode("gb18030"), "text/plain"),
        ("note", "出院小结".encode(), "text/plain"),
        ("note", ("é" * 4095).encode()[1:], "application/octet-stream"),
        ("long-note", ("x" + "é" * 4000).encode(), "text/plain"),
        ("blob", b"\x00\x01\x02", "application/octet-stream"),
        ("empty", b"", "application/octet-stream"),
        ("page.html", b"<html></html>", "text/html"),
    ],
)
def test_a_file_is_recognised(name: str, content: bytes, mime_type: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert guess_mime_type(path) == mime_type
