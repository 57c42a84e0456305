"""Words of the invented region: codes, names, places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xds.metadata.common import Code

LOINC: Final = "2.16.840.1.113883.6.1"
FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
SNOMED: Final = "2.16.840.1.113883.6.96"
LOCAL: Final = "1.3.6.1.4.1.21367.2026.100.9999"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document."""

    title: str
    mime_type: str
    class_code: Code
    type_code: Code
    format_code: Code


_CDA: Final = Code("urn:hl7-org:sdwg:ccda-structuredBody:2.1", FORMATS, "C-CDA R2.1")
_PDF: Final = Code("urn:ihe:iti:xds-sd:pdf:2008", FORMATS, "PDF")
_LAB: Final = Code("urn:ihe:lab:xd-lab:2008", FORMATS, "XD-LAB")
_KOS: Final = Code("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1", "Key Object Selection Document")
_SUMMARY: Final = Code("SUMMARY", LOCAL, "摘要")
_REPORT: Final = Code("REPORT", LOCAL, "报告")
_NOTE: Final = Code("NOTE", LOCAL, "记录")
_IMAGE: Final = Code("IMAGE", LOCAL, "影像")

KINDS: Final = (
    Kind("出院小结", "text/xml", _SUMMARY, Code("18842-5", LOINC, "Discharge summary"), _CDA),
    Kind("检验报告", "text/xml", _REPORT, Code("11502-2", LOINC, "Laboratory report"), _LAB),
    Kind("检验报告 血常规", "text/xml", _REPORT, Code("58410-2", LOINC, "CBC panel"), _LAB),
    Kind("门诊病历", "text/xml", _NOTE, Code("34108-1", LOINC, "Outpatient note"), _CDA),
    Kind("胸部X线检查报告", "application/pdf", _REPORT, Code("36643-5", LOINC, "XR Chest 2 views"), _PDF),
    Kind("CT检查报告", "application/pdf", _REPORT, Code("30799-1", LOINC, "CT Head"), _PDF),
    Kind("CT影像", "application/dicom", _IMAGE, Code("18748-4", LOINC, "Diagnostic imaging study"), _KOS),
    Kind("心电图", "application/pdf", _REPORT, Code("11524-6", LOINC, "EKG study"), _PDF),
    Kind("手术记录", "text/xml", _NOTE, Code("11504-8", LOINC, "Surgical operation note"), _CDA),
    Kind("处方", "text/xml", _NOTE, Code("57833-6", LOINC, "Prescription for medication"), _CDA),
    Kind("Transfer summary", "text/xml", _SUMMARY, Code("18761-7", LOINC, "Transfer summary note"), _CDA),
    Kind("病理诊断报告", "application/pdf", _REPORT, Code("11526-1", LOINC, "Pathology study"), _PDF),
)
CONFIDENTIALITY: Final = (
    Code("N", "2.16.840.1.113883.5.25", "Normal"),
    Code("R", "2.16.840.1.113883.5.25", "Restricted"),
)
EVENTS: Final = (
    Code("44054006", SNOMED, "Diabetes mellitus type 2"),
    Code("38341003", SNOMED, "Hypertensive disorder"),
    Code("13645005", SNOMED, "Chronic obstructive lung disease"),
    Code("22298006", SNOMED, "Myocardial infarction"),
    Code("302497006", SNOMED, "Haemodialysis"),
)
FACILITIES: Final = (
    Code("22232009", SNOMED, "人民医院"),
    Code("73770003", SNOMED, "中心医院"),
    Code("35971002", SNOMED, "社区卫生服务中心"),
    Code("225732001", SNOMED, "中医院"),
)
DEPARTMENTS: Final = (
    Code("394579002", SNOMED, "心血管内科"),
    Code("394591006", SNOMED, "神经内科"),
    Code("394609007", SNOMED, "普通外科"),
    Code("394914008", SNOMED, "放射科"),
    Code("394596001", SNOMED, "检验科"),
    Code("394537008", SNOMED, "儿科"),
    Code("394585009", SNOMED, "妇产科"),
    Code("408467006", SNOMED, "全科"),
)
FOLDERS: Final = (
    Code("EPISODE", LOCAL, "住院"),
    Code("PREGNANCY", LOCAL, "孕产"),
    Code("CHRONIC", LOCAL, "慢病管理"),
)
ROLES: Final = ("主治医师", "住院医师", "主任医师", "技师")
SURNAMES: Final = (*"王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧", "欧阳", "司马")
GIVEN: Final = (*"伟芳娜敏静磊洋艳勇杰娟涛明超霞平刚桂文辉玲婷建华宇轩梓涵雨桐",)
NAMES_ABROAD: Final = (
    "Vandenbergh^Aleida",
    "Nwachukwu^Obiageli",
    "Þorvaldsdóttir^Hrafnhildur",
    "Gutiérrez Ibáñez^Ximena",
    "Мирошниченко^Ярослава",
)
TOWNS: Final = ("青石市", "东河县", "云岭区", "白沙镇", "南渡市", "北屏县", "枫桥区", "望海市")
STREETS: Final = ("解放路", "人民大街", "长江西路", "梧桐巷", "学府路", "滨河南路")
