"""What uses of data that are often named in Guangdong are called in English.

A scenario is a free Chinese name, as departments write it; one that is not here has only that.
"""

from __future__ import annotations

from typing import Final

from protos.language import Text

_ENGLISH: Final = {
    "身份核验": "identity checks", "户籍办理一件事": "household registration in one go",
    "企业开办一件事": "starting a business in one go", "出生一件事": "birth in one go",
    "看病就医一件事": "seeing a doctor in one go", "分级诊疗": "tiered care",
    "入学一件事": "school enrolment in one go", "学区房查询": "school districts of homes",
    "校外培训监管": "oversight of private tutoring", "就业一件事": "finding work in one go",
    "员工录用一件事": "hiring in one go", "退休一件事": "retirement in one go",
    "稳岗补贴免申即享": "job retention subsidies without application",
    "结婚一件事": "marriage in one go", "困难群众精准救助": "aid to those in need",
    "高龄津贴免申即享": "old-age allowances without application",
    "身后一件事": "after a death in one go", "企业注销一件事": "closing a business in one go",
    "信用监管": "oversight by credit", "明厨亮灶": "open kitchens",
    "二手房交易一件事": "selling a home in one go", "工程建设项目审批": "construction permits",
    "租房一件事": "renting in one go", "道路货运一件事": "road haulage in one go",
    "公交优化": "better bus routes", "春运保障": "Spring Festival travel",
    "排污许可一证式管理": "one permit for emissions",
    "环境信访处置": "environmental complaints", "绿色金融": "green finance",
    "不动产登记一件事": "real estate registration in one go", "用地审批": "land use permits",
    "地质灾害预警": "geological hazard warnings",
    "三防指挥": "flood, drought and typhoon command", "河长巡河": "river chiefs' patrols",
    "用水报装一件事": "water connection in one go",
    "惠农补贴一卡通": "farm subsidies on one card", "农产品溯源": "tracing of farm products",
    "乡村振兴": "rural revitalisation", "防汛防台风指挥": "flood and typhoon command",
    "危化品监管": "oversight of hazardous chemicals", "应急避难": "emergency shelter",
    "惠企资金直达": "direct funds for businesses", "政府采购监管": "oversight of procurement",
    "预算公开": "open budgets", "异地就医结算": "medical bills settled in other cities",
    "医保基金监管": "oversight of medical insurance funds",
    "文旅消费": "spending on culture and tourism", "非遗保护": "protection of intangible heritage",
    "假日旅游": "holiday travel", "公证一件事": "notarisation in one go", "法律援助": "legal aid",
    "社区矫正": "community correction", "退役军人服务一件事": "services for veterans in one go",
    "优待证核验": "checks of veterans' cards", "惠企政策直达": "direct policies for businesses",
    "专精特新培育": "growth of specialised small firms", "节能监察": "energy saving inspections",
    "高企认定": "recognition of high-tech firms", "科技金融": "finance for technology",
    "外国人来华工作": "work permits for foreigners", "稳外贸": "stable foreign trade",
    "促消费": "more consumption", "跨境电商": "cross-border e-commerce",
    "经济运行分析": "analysis of the economy", "高质量发展考核": "appraisal of development",
    "银税互动": "loans by tax record", "一网通办": "all services on one site",
    "高效办成一件事": "one thing done in one go", "接诉即办": "prompt answers to complaints",
    "农业气象服务": "weather services for farming", "林地审批": "forest land permits",
    "森林防火": "forest fire prevention", "古树名木保护": "protection of old trees",
    "公积金贷款": "housing fund loans", "城市体检": "check-ups of cities",
    "垃圾分类": "waste sorting", "共享单车治理": "order among shared bicycles",
    "残疾人服务一件事": "services for disabled people in one go",
    "两项补贴免申即享": "two disability subsidies without application",
    "公众聚集场所投入使用一件事": "opening public venues in one go", "火灾防控": "fire prevention",
    "药品追溯": "tracing of medicines", "疫苗监管": "oversight of vaccines",
}  # fmt: skip


def scenario_title(name: str) -> Text:
    """Returns what a scenario is called; in English as in Chinese if there is no English name."""
    return Text(_ENGLISH.get(name, name), name)
