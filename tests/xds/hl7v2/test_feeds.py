from __future__ import annotations

import pytest

from xds.hl7v2.feeds import Feed, Feeds

HIS = Feed(application="HIS", facility="H01", default_charsets=("GB 18030-2000",))
ANY_HIS = Feed(application="HIS", strict=True)
FEEDS = Feeds([HIS, ANY_HIS])


@pytest.mark.parametrize(
    ("msh", "feed"),
    [
        (b"MSH|^~\\&|HIS|H01|", HIS),
        (b"MSH|^~\\&|HIS^1.2.3^ISO|H01^x|", HIS),
        (b"\r\nMSH|^~\\&|HIS|H01|", HIS),
        (b"MSH$!@%*$HIS!x$H01$", HIS),
        (b"MSH|^~\\&|HIS|H02|", ANY_HIS),
        (b"MSH|^~\\&|LIS|H01|", FEEDS.default),
        (b"MSH|^~\\&|HIS", FEEDS.default),
        (b"", FEEDS.default),
        (b"\xff\xfe\x00", FEEDS.default),
    ],
)
def test_a_sender_is_found_by_its_application_and_facility(msh: bytes, feed: Feed) -> None:
    assert FEEDS.of_bytes(msh) is feed


def test_character_sets_are_names_of_the_table_or_codecs() -> None:
    assert HIS.default_charsets == ("gb18030",)
    assert Feed(default_charsets=("gbk",)).default_charsets == ("gb18030",)
    assert Feed(default_charsets=("cp437",)).default_charsets == ("cp437",)
    with pytest.raises(LookupError):
        Feed(default_charsets=("klingon",))
