"""Words that tell a Chinese personal name: surnames, cues before it, words that are no names.

Surnames: 百家姓 (Song dynasty, public domain) and those that the Ministry of Public Security's
yearly report 全国姓名报告 counts among the most frequent. The list is a set of characters, because
almost every surname is one; compound surnames stand apart and are tried first.
"""

from __future__ import annotations

from typing import Final

SURNAMES: Final = (
    "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任"
    "卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷段龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔"
    "向常汤康易乔赖文施洪季柯邢裴瞿阎聂焦俞齐倪殷尚葛章庄鲁岳左温童牛樊安耿詹包关饶管祝牟申房路欧柴游纪"
    "喻骆涂蒲兰翟辛梅盛霍麦邬蓝凌丛仇柳冉封裘解岑骞应宗卜谷甘景车甄阮迟苗凤冼屈项成盖阳符鲍卞华滕"
    "穆柏湛缪桂单佘丘敖艾池计伍简司占边卓涉褚古晏楼虞靳丰原祁米窦柬揭郎沙匡舒芦苑晋连时党宫商战隋"
    "姬宁闵荆蔺娄鞠郁练危花明臧席支浦费贝栾隆奚鄢强水云劳畅乐巩冀庞尤厉粟戚燕巫诸保佟曲明初全税邸"
    "冷嵇谈储刁竺闻郜富双闾双郤桑寇扶堵冶逄亓仝咸岂仵由楚宿印普雍衡步都扈暴禹满沃索别庾终暨居鬲"
    "萧傅郗班仰秋仲伊暴栗蒙弓牧隗山俸祖刑卫井经邴糜汲麻皮卡康鱼容侍芮荀茹嘉农鄂赫巴查来"
)
COMPOUND_SURNAMES: Final = (
    "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛",
    "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容",
    "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "闾丘", "子车", "亓官", "司寇", "巫马",
    "公西", "颛孙", "壤驷", "公良", "漆雕", "乐正", "宰父", "谷梁", "拓跋", "夹谷", "轩辕", "令狐",
    "段干", "百里", "呼延", "东郭", "南门", "羊舌", "微生", "梁丘", "左丘", "东门", "西门", "第五",
)  # fmt: skip

CUES: Final = (
    "姓名", "患者姓名", "患者", "病人", "联系人", "申请人", "经办人", "负责人", "法定代表人",
    "法人代表",
    "监护人", "收件人", "收货人", "寄件人", "户主", "投诉人", "举报人", "当事人", "被告人", "被告",
    "原告",
    "证人", "嫌疑人", "业主", "乘客", "司机", "驾驶员", "客户", "家属", "本人", "签字人", "委托人",
    "受托人",
    "学生", "家长", "老师", "医生", "护士",
)  # fmt: skip
"""What stands before a name in free text, perhaps with a colon between."""

NOT_LAST: Final = "区市县省镇乡村路街道局院校厂店司部处科组班级类型式费税款金额率号楼栋室层"
"""Last characters of words that begin like a name but are a place, an office or a quantity."""

_NOT_BEGINNINGS: Final = (
    "高血 高热 高度 高龄 高烧 高危 于昨 于今 于本 于上 于下 于次 于前 于当 于年 于月 于日 "
    "于事 安排 安置 安装 应当 应于 应在 应及 应到 应按 向其 向我 向本 向社 向法 向有 方可 "
    "方能 方面 方式 时常 时有 成功 成立 连续 常年 常住 常见 任何 任意 居住 居家 步行 明确 "
    "明显 明知 全部 全程 全家 全身 车辆 经过 经常 经查 经核 经济 路过 支付 支持 双方 双眼 "
    "双侧 双下 双上 左侧 左眼 左下 左上 左手 左肺 单侧 单独 危重 危险 边缘 原来 原系 查体 "
    "查无 查看 曾经 曾于 曾有 曾在 曾因 曾患 来院 来我 来访 来电 来信 周围 周身 黄染 水肿 "
    "皮肤 平素 平时 平日 平车 项目 余无 管理 关于 关注 解除 满意 终身 由于 由其 麻醉 顾虑 "
    "康复 许可 许多 甘愿 能够 包括 查询 柴油 路上 强烈 强调 农村 连同 党员 时间 任职 施工 "
    "阳性 古稀 老年 宿舍 相关 申请 计划 计算 温度 暴力 别人 全体 万一 严重 巴士 花费 商量 "
    "包含 祖籍 车主 家属"
)
NOT_BEGINNINGS: Final = frozenset(_NOT_BEGINNINGS.split())
"""First two characters of what begins with a surname after a cue and is no name (患者高血压)."""

_LIKE_NAMES: Final = (
    "高中 高职 高级 安全 方便 方案 常规 常见 金额 金卡 白银 黄金 白色 黄色 "
    "蓝色 明细 成功 成人 成都 武汉 杭州 温州 石油 水果 文化 文字 文件 时间 "
    "时效 计算 计划 计费 单位 单身 单人 任务 包装 包括 全部 全国 全额 关闭 "
    "关系 马上 车辆 车位 农民 农村 农业 商业 商品 商务 经济 经理 经营 居民 "
    "居住 连续 原因 应收 应付 应用 解决 解除 平安 支付 支出 支持 路由 管理 "
    "管制 符合 强制 印刷 普通 满意 满足 步行 都市 终止 终身 保险 保密 保留 "
    "易碎 严重 向上 向下 双方 双人 简单 简易 丰富 山东 山西 江苏 江西 云南 "
    "宁夏 甘肃 广州 贵州 海南 湖南 河南 陕西 吉林 石家庄 乌鲁木齐 华为 金融 "
    "初中 初级 康复 温度 湿度 花卉 暴雨 冷冻 冷藏 米饭 牛肉 牛奶 鱼类 水产 "
    "麻醉 皮肤 步骤 查询 来源 来访 查看 边境 古代 房产 房屋 车间 祖国 卫生 "
    "山地 经办 经手 容量 容器 花费 明天 全天 全日制 关注 万元 万人 万能 "
    "司机 董事 商家 商户 别名 游客 车牌 党员 干部 家属"
)
NOT_NAMES: Final = frozenset(_LIKE_NAMES.split())
"""Words that begin with a surname's character and have the length of a name."""
