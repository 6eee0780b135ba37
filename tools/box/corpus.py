"""Small text domains from grammars, the same for the same seed: stories, arithmetic, code, Chinese sentences."""
import random

NAMES = "Mia Tom Lily Ben Anna Max Sue Leo".split()
ANIMALS = "cat dog bird fox frog bear duck mouse".split()
THINGS = "ball hat cake kite book box drum boat apple lamp".split()
PLACES = "the garden|the park|the wood|the lake|the old house|the hill|the school".split("|")
MOODS = "happy sad tired brave shy proud".split()
COLORS = "red blue green yellow white small big".split()


def story(r):
    n, a, t, p = r.choice(NAMES), r.choice(ANIMALS), r.choice(THINGS), r.choice(PLACES)
    m, c, n2 = r.choice(MOODS), r.choice(COLORS), r.choice(NAMES)
    she = "she" if n in ("Mia", "Lily", "Anna", "Sue") else "he"
    her = "her" if she == "she" else "his"
    out = [r.choice([f"Once upon a time there was a {m} {a}.", f"Once upon a time, {n} had a {c} {t}.", f"One day {n} went to {p}."])]
    out.append(r.choice([f"{n} saw a {c} {a} there.", f"{n} lost {her} {t} in {p}.", f"{n} wanted to play with the {a}."]))
    out.append(r.choice([f'"Do you want to play?" said {n}.', f'"Where is my {t}?" {she} said.', f'"Look, a {t}!" said the {a}.']))
    out.append(r.choice([f"The {a} was {m}, so {n} gave it the {t}.", f"{n2} came and helped {n} look for the {t}.", f"They looked under the {t} and behind {p}."]))
    out.append(r.choice([f"At last they found the {c} {t}.", f"Then it was late and {she} went home.", f"The {a} and {n} were friends from that day."]))
    out.append(r.choice(["They were very happy.", f"{n} was not {m} any more.", "The end."]))
    return " ".join(out)


def arithmetic(r):
    rows = []
    for _ in range(r.randint(3, 6)):
        a, b = r.randint(0, 30), r.randint(0, 30)
        op = r.choice("+-*")
        if op == "*":
            a, b = a % 10, b % 10
        if op == "-" and b > a:
            a, b = b, a
        rows.append(f"{a} {op} {b} = {a + b if op == '+' else a - b if op == '-' else a * b}")
    return "\n".join(rows)


def code(r):
    f, v, w = r.choice("add sum count find get put scale".split()), r.choice("xyzabn"), r.choice("ijkmt")
    k = r.randint(1, 9)
    return r.choice([
        f"int {f}(int {v}, int {w})\n{{\n\treturn {v} {r.choice('+-*')} {w};\n}}\n",
        f"for (int {w} = 0; {w} < {k}; {w}++)\n\t{f}({v}, {w});\n",
        f"def {f}({v}):\n    if {v} > {k}:\n        return {v}\n    return {f}({v} + {r.randint(1, 3)})\n",
        f"while ({v} != {k}) {{\n\t{v} = {f}({v});\n}}\n",
    ])


def chinese(r):
    who = r.choice("我 你 他 我们 他们 小明 老师".split())
    when = r.choice("今天 昨天 明天 早上 晚上".split())
    act = r.choice("去学校 看书 吃饭 喝水 学习中文 回家 写字 看电影".split())
    feel = r.choice("很高兴 很累 很好 不忙 很忙".split())
    return r.choice([f"{when}{who}{act}。", f"{who}{feel}，因为{when}要{act}。", f"{who}想{act}，可是{who}{feel}。"]) + r.choice(["", f"{who}说：“你好！”"])


DOMAINS = {"stories": story, "arithmetic": arithmetic, "code": code, "chinese": chinese}


def document(seed):
    r = random.Random(seed)
    name = r.choice(list(DOMAINS))
    n = {"stories": 1, "arithmetic": 1, "code": 2, "chinese": 4}[name]
    return "\n".join(DOMAINS[name](r) for _ in range(n)) if name != "chinese" else "".join(DOMAINS[name](r) for _ in range(n))
