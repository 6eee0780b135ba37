-- chinese: short passages about one person's day. Time, person, place and thing fit together through a passage.
local grammar = require "lathe.grammar"
local words, plan = grammar.words, grammar.plan

local WHO = words "小王 小李 老张 妹妹 哥哥 爷爷 奶奶 医生 老师 农民"
local FRIEND = words "朋友 邻居 同学 弟弟 姐姐 妈妈"
local TIME = words "早上 中午 下午 晚上 昨天 今天 星期天 春天 冬天"
local PLACE = words "公园 学校 图书馆 市场 河边 山上 车站 厨房 花园 商店"
local THING = words "一本书 一把伞 一条鱼 一只猫 一封信 一朵花 一杯茶 一张画 一个西瓜 一双鞋"
local ACT = words "看报纸 买东西 喝茶 唱歌 跑步 画画 写信 钓鱼 做饭 休息"
local FEEL = words "高兴 累 着急 快乐 安静 难过 舒服"
local SKY = words "天气很好 下雨了 下雪了 风很大 太阳出来了 天黑了"

local DAY = plan {
	{ "{time}，{who}去{place}{act}。", "{who}{time}在{place}{act}。", "{time}{sky}，{who}要去{place}。" },
	{ "{who}带着{thing}，觉得很{feel}。", "因为{sky}，所以{who}很{feel}。", "{place}里有很多人，大家都在{act}。" },
	{ "{who}看见{friend}在那里{act}。", "{friend}也来了，手里拿着{thing}。", "后来{who}遇到了{friend}。" },
	{ "{friend}说：“你好，我们一起{act}吧！”", "{who}问：“你为什么这么{feel}？”", "{friend}问：“这{thing}是谁的？”" },
	{ "{who}说：“好，我也想{act}。”", "{who}笑了，把{thing}送给{friend}。", "{friend}回答：“因为{sky}。”" },
	{ "然后他们一起回家{act}。", "{act}以后，{sky}，他们就回家了。", "这一天{who}过得很{feel}。" },
}

local FIND = plan {
	{ "{who}有{thing}，非常喜欢。", "{time}，{who}在{place}买了{thing}。", "{friend}给了{who}{thing}。" },
	{ "可是{time}它不见了。", "但是{who}把它忘在{place}了。", "{sky}，{who}找不到它了。" },
	{ "{who}很{feel}，到{place}去找。", "{who}先去{place}，再去问{friend}。", "{friend}和{who}一起去找。" },
	{ "最后，他们在{place}找到了它。", "原来它在{friend}家里。", "{friend}说：“别着急，它在这里。”" },
	{ "{who}说：“谢谢你！”", "{who}很{feel}，请{friend}喝茶。", "从此，{who}和{friend}成了好朋友。" },
}

local chinese = {}

function chinese.text(rng)
	local out = {}
	for k = 1, rng:int(1, 2) do
		local w = {
			who = rng:pick(WHO), friend = rng:pick(FRIEND), time = rng:pick(TIME), place = rng:pick(PLACE), thing = rng:pick(THING),
			act = rng:pick(ACT), feel = rng:pick(FEEL), sky = rng:pick(SKY),
		}
		out[k] = grammar.tell(rng:pick { DAY, FIND }, w, rng, "")
	end
	return table.concat(out, "\n") .. "\n"
end

return chinese
