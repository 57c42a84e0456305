"""Chinese family names in simplified characters: those of two characters, and those with a reading of their own.

Readings are pinyin without tones. Where bearers of a name read it in several ways, all are listed.
"""

from __future__ import annotations

from typing import Final

_COMPOUND: Final = """
欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台
皇甫 宗政 濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 令狐
闾丘 子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋 夹谷 轩辕
段干 百里 呼延 东郭 南门 羊舌 微生 左丘 西门 第五 单于 东野 公伯 哥舒 叱干 阿史那
纳兰 完颜 叶赫 富察 贺兰 耶律
"""
COMPOUND_SURNAMES: Final = frozenset(_COMPOUND.split())

SURNAME_READINGS: Final[dict[str, tuple[str, ...]]] = {
    "曾": ("zeng",),
    "单": ("shan",),
    "仇": ("qiu",),
    "解": ("xie",),
    "查": ("zha",),
    "区": ("ou",),
    "朴": ("piao",),
    "盖": ("ge", "gai"),
    "缪": ("miao",),
    "任": ("ren",),
    "华": ("hua",),
    "覃": ("qin", "tan"),
    "翟": ("zhai", "di"),
    "宿": ("su",),
    "折": ("she",),
    "黑": ("he",),
    "秘": ("bi",),
    "冼": ("xian",),
    "洗": ("xian",),
    "召": ("shao",),
    "燕": ("yan",),
    "么": ("yao",),
    "乐": ("yue", "le"),
    "员": ("yun",),
    "繁": ("po",),
    "种": ("chong",),
    "重": ("chong",),
    "祭": ("zhai",),
    "逄": ("pang",),
    "隗": ("wei", "kui"),
    "佴": ("nai",),
    "郇": ("xun", "huan"),
    "纪": ("ji",),
    "尹": ("yin",),
    "长": ("chang",),
    "石": ("shi",),
    "车": ("che",),
    "贾": ("jia",),
    "柏": ("bai", "bo"),
    "那": ("na",),
    "牟": ("mu", "mou"),
    "哈": ("ha",),
    "褚": ("chu",),
    "郗": ("xi", "chi"),
    "钭": ("tou",),
    "晟": ("cheng",),
    "尉迟": ("yuchi",),
    "万俟": ("moqi",),
    "澹台": ("tantai",),
    "长孙": ("zhangsun",),
    "单于": ("chanyu",),
    "乐正": ("yuezheng",),
    "令狐": ("linghu",),
    "子车": ("ziju",),
}
