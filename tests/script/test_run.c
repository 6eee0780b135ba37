/* Configurations of runs: what the shipped ones say, samples that depend on their numbers alone, problems and judges, tokenizers that
 * hold every character, and files that are wrong or want to run away. */
#include "base/buf.h"
#include "script/run_file.h"
#include "tests/unit.h"
#include "text/tok.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const shipped[] = { "train-addition", "train-domains", "train-reason" };
static const char *const box[] = { "@reason", "@domains", "@reason" };

/* The folder's name is gone when the first function is called. */
static RunFile *open_path(const char *path, Err *e)
{
	char dir[1024];
	snprintf(dir, sizeof dir, "%s", unit_src("lua"));
	RunFile *f = run_file_open(path, dir, e);
	memset(dir, 'x', sizeof dir);
	return f;
}

static RunFile *open_shipped(size_t k)
{
	char rel[200];
	Err e = { 0 };
	snprintf(rel, sizeof rel, "lua/configs/%s.lua", shipped[k]);
	RunFile *f = open_path(unit_src(rel), &e);
	if (!f)
		fail_msg("%s: %s", rel, e.text);
	return f;
}

static RunFile *open_text(const char *text, Err *e)
{
	char path[600];
	snprintf(path, sizeof path, "%s/t.lua", unit_tmp());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return open_path(path, e);
}

static RunFile *open_good(const char *text)
{
	Err e = { 0 };
	RunFile *f = open_text(text, &e);
	if (!f)
		fail_msg("%s", e.text);
	return f;
}

static Document sample_of(RunFile *f, Split split, uint64_t row, uint64_t i)
{
	Err e = { 0 };
	Document s = { 0 };
	if (!f->source.get(f->source.ud, split, row, i, &s, &e))
		fail_msg("%s", e.text);
	return s;
}

static void copy_sample(Buf *b, RunFile *f, Split split, uint64_t row, uint64_t i)
{
	Document s = sample_of(f, split, row, i);
	buf_add(b, s.prompt, s.n_prompt);
	buf_addc(b, '\n');
	buf_add(b, s.answer, s.n_answer);
	buf_addc(b, '\n');
}

/* If this changes, models trained from a seed cannot be made again: raise the version and train them anew. */
#define KNOWN_REASON "m45*47=\n<think></think><answer>2115</answer>\n" \
	"c6a+6b*9c*3d*8=\n<think>2waita6+6=2b2*9=8c8*3=4d4*8=2</think><answer>2</answer>\n" \
	"m82*86=\n<think></think><answer>7052</answer>\n"
#define MODEL "tokenizer = '@reason', model = { hidden_size = 8 }, "

/* --- what a file says --- */

TEST(run_reads_what_it_says)
{
	RunFile *f = open_good("return { name = 'n', out = 'o/p', attention = 'gqa', kv_heads = 2, tokenizer = '@x', seed = 7,\n"
			       "model = { b = 1, a = { 1.5, true, 'x' }, c = { d = require 'lathe.core'.null } },\n"
			       "steps = 12, lr = 0.25, lr_shape = 'constant', document_mask = true, balance = 'none',\n"
			       "data = { get = function(rng, split, row, i) return { prompt = split, answer = row .. ',' .. i } end } }");
	assert_string_equal(f->name, "n");
	assert_string_equal(f->out, "o/p");
	assert_string_equal(f->attention, "gqa");
	assert_string_equal(f->tokenizer, "@x");
	assert_int_equal(f->kv_heads, 2);
	assert_string_equal(f->model, "{\"a\":[1.5,true,\"x\"],\"b\":1,\"c\":{\"d\":null}}");
	assert_null(f->from);
	assert_int_equal(f->settings.seed, 7);
	assert_int_equal(f->settings.steps, 12);
	assert_int_equal(f->settings.lr_shape, LR_CONSTANT);
	assert_int_equal(f->settings.balance, BALANCE_NONE);
	assert_int_equal(f->settings.document_mask, 1);
	assert_true(f->settings.lr == 0.25);
	assert_true(f->has_data && !f->has_exam);
	Document s = sample_of(f, SPLIT_HELD_OUT, 3, 4);
	assert_string_equal(s.prompt, "held_out");
	assert_string_equal(s.answer, "3,4");
	run_file_free(f);
	f = open_good("return { from = '@reason', data = { get = function() return { answer = 'x' } end } }");
	assert_string_equal(f->name, "t");
	assert_null(f->model);
	assert_null(sample_of(f, SPLIT_TRAIN, 0, 0).prompt);
	run_file_free(f);
}

TEST(run_shipped_files_are_read)
{
	for (size_t k = 0; k < 3; k++) {
		RunFile *f = open_shipped(k);
		assert_string_equal(f->name, shipped[k] + strlen("train-"));
		assert_string_equal(f->tokenizer, box[k]);
		assert_non_null(f->model);
		assert_true(f->has_data);
		run_file_free(f);
	}
}

/* --- samples --- */

TEST(run_samples_do_not_depend_on_the_order_of_calls)
{
	for (size_t k = 0; k < 3; k++) {
		RunFile *f = open_shipped(k), *g = open_shipped(k);
		Buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
		for (uint64_t i = 0; i < 200; i++)
			copy_sample(&a, f, i % 2 ? SPLIT_TRAIN : SPLIT_HELD_OUT, i / 4, i % 3);
		Buf *piece = calloc(200, sizeof *piece);
		for (uint64_t i = 200; i-- > 0;)
			copy_sample(&piece[i], g, i % 2 ? SPLIT_TRAIN : SPLIT_HELD_OUT, i / 4, i % 3);
		for (size_t i = 0; i < 200; i++) {
			buf_add(&b, piece[i].s, piece[i].len);
			buf_done(&piece[i]);
		}
		free(piece);
		assert_string_equal(a.s, b.s);
		g->settings.seed = 2;
		for (uint64_t i = 0; i < 200; i++)
			copy_sample(&c, g, i % 2 ? SPLIT_TRAIN : SPLIT_HELD_OUT, i / 4, i % 3);
		assert_string_not_equal(a.s, c.s);
		buf_done(&a);
		buf_done(&b);
		buf_done(&c);
		run_file_free(f);
		run_file_free(g);
	}
}

TEST(run_samples_stay_the_same_from_version_to_version)
{
	RunFile *f = open_shipped(2);
	Buf b = BUF_INIT;
	copy_sample(&b, f, SPLIT_TRAIN, 0, 0);
	copy_sample(&b, f, SPLIT_TRAIN, 1, 2);
	copy_sample(&b, f, SPLIT_HELD_OUT, 0, 0);
	assert_string_equal(b.s, KNOWN_REASON);
	buf_done(&b);
	run_file_free(f);
}

static uint32_t crc_of(const char *s, size_t n)
{
	uint32_t c = 0xffffffffu;
	for (size_t i = 0; i < n; i++) {
		c ^= (unsigned char)s[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return c ^ 0xffffffffu;
}

TEST(run_held_out_problems_are_never_trained_on)
{
	assert_int_equal(crc_of("123456789", 9), 0xcbf43926u);
	static const size_t with_tasks[] = { 0, 2 };
	for (size_t k = 0; k < 2; k++) {
		RunFile *f = open_shipped(with_tasks[k]);
		for (uint64_t i = 0; i < 4000; i++) {
			Document s = sample_of(f, SPLIT_TRAIN, i, i % 5);
			assert_int_not_equal(crc_of(s.prompt, s.n_prompt) % 5, 0);
			s = sample_of(f, SPLIT_HELD_OUT, i, i % 5);
			assert_int_equal(crc_of(s.prompt, s.n_prompt) % 5, 0);
		}
		run_file_free(f);
	}
}

/* The two-by-two-digit products in the training split, counted by brute force, must come near their share of one half. */
TEST(run_reason_mixes_as_the_recipe_says)
{
	RunFile *f = open_shipped(2);
	int m2 = 0, chain = 0, wait = 0, fine = 0;
	for (uint64_t i = 0; i < 4000; i++) {
		Document s = sample_of(f, SPLIT_TRAIN, i, 0);
		const char *star = memchr(s.prompt, '*', s.n_prompt);
		bool is_m2 = s.prompt[0] == 'm' && s.prompt + s.n_prompt - star == 4;
		m2 += is_m2;
		fine += is_m2 && strchr(s.answer, ';');
		chain += s.prompt[0] == 'c';
		wait += strstr(s.answer, "wait") != NULL;
	}
	assert_in_range(m2, 1880, 2120);
	assert_in_range(fine, 800, 1000);
	assert_in_range(chain, 870, 1050);
	assert_in_range(wait, 320, 450);
	run_file_free(f);
}

TEST(run_rows_are_of_one_domain_and_in_equal_shares)
{
	RunFile *f = open_good("local data, text = require 'lathe.data', require 'lathe.text'\n"
			       "local function named(n) return { get = function() return { answer = n } end } end\n"
			       "return { " MODEL "data = data.rows { { named 'a', 1 }, { named 'b', 1 }, { named 'c', 2 } } }");
	int n[3] = { 0 };
	for (uint64_t row = 0; row < 400; row++) {
		char a = sample_of(f, SPLIT_TRAIN, row, 0).answer[0];
		assert_int_equal(sample_of(f, SPLIT_TRAIN, row, 9).answer[0], a);
		n[a - 'a']++;
	}
	assert_in_range(n[0], 98, 102);
	assert_in_range(n[1], 98, 102);
	assert_in_range(n[2], 198, 202);
	run_file_free(f);
}

/* --- tokenizers --- */

static Tok *tok_of(const char *name)
{
	Err e = { 0 };
	char rel[100];
	snprintf(rel, sizeof rel, "data/%s", name + 1);
	Tok *t = tok_open(unit_src(rel), &e);
	if (!t)
		fail_msg("%s", e.text);
	return t;
}

TEST(run_tokenizers_have_the_ids_of_the_recipe)
{
	static const char *const mark[] = { "<pad>", "<eos>", "<think>", "</think>", "<answer>", "</answer>", "wait" };
	static const char order[] = "0123456789+-*/=();,>.:?%abcdefghm";
	Tok *t = tok_of("@reason");
	assert_int_equal(tok_count(t), 64);
	assert_int_equal(tok_eos(t), 1);
	for (int i = 0; i < 7; i++)
		assert_int_equal(tok_find(t, mark[i]), i);
	for (int i = 0; order[i]; i++)
		assert_int_equal(tok_find(t, (char[]){ order[i], 0 }), 9 + i);
	tok_free(t);
	t = tok_of("@domains");
	assert_int_equal(tok_count(t), 261);
	assert_int_equal(tok_eos(t), 256);
	assert_int_equal(tok_find(t, "<|fim_begin|>"), -1);
	assert_int_equal(tok_find(t, "<\xef\xbd\x9c" "fim\xe2\x96\x81hole\xef\xbd\x9c>"), 259);
	tok_free(t);
}

static void comes_back(const Tok *t, const char *s, size_t n)
{
	Err e = { 0 };
	Ids ids = { 0 };
	Buf back = BUF_INIT;
	if (!tok_encode(t, s, n, &ids, &e))
		fail_msg("%.*s: %s", (int)n, s, e.text);
	tok_decode(t, ids.id, ids.n, &back);
	assert_int_equal(back.len, n);
	assert_memory_equal(back.s, s, n);
	ids_done(&ids);
	buf_done(&back);
}

TEST(run_samples_are_made_of_the_tokenizers_characters)
{
	for (size_t k = 0; k < 3; k++) {
		RunFile *f = open_shipped(k);
		Tok *t = tok_of(f->tokenizer);
		for (uint64_t i = 0; i < 1000; i++) {
			Document s = sample_of(f, i % 2 ? SPLIT_TRAIN : SPLIT_HELD_OUT, i, i % 7);
			if (s.prompt)
				comes_back(t, s.prompt, s.n_prompt);
			comes_back(t, s.answer, s.n_answer);
		}
		tok_free(t);
		run_file_free(f);
	}
}

/* --- problems and judges --- */

static const char *const task_names[] = { "mult", "add", "chain", "sort", "count", "brackets", "recall", "countdown" };

static bool judged(RunFile *f, uint64_t i, const char *text, const char **answer)
{
	Err e = { 0 };
	bool right = false;
	if (!f->exam.judge(f->exam.ud, i, text, strlen(text), &right, answer, &e))
		fail_msg("%s", e.text);
	return right;
}

/* A source whose prompt is the exam's problem and whose answer is a response to it in each style by turns. */
static const char every_style[] =
	"local tasks, core = require 'lathe.tasks', require 'lathe.core'\n"
	"local kind = tasks.kinds['%s']\n"
	"local exam = tasks.exam '%s'\n"
	"local names = {}\n"
	"for s in pairs(kind.styles) do names[#names + 1] = s end\n"
	"local kept\n"
	"exam.ask = (function(ask) return function(rng, i) return ask(core.rng(3, i), i) end end)(exam.ask)\n"
	"return { " MODEL "exam = exam, data = { get = function(rng, split, row, i)\n"
	"	local p = exam.ask(rng, row)\n"
	"	return { prompt = p.prompt, answer = tasks.response(kind, p, names[i %% #names + 1], rng) }\n"
	"end } }\n";

static void corrupt(Buf *b, const char *right)
{
	const char *at = strstr(right, "<answer>");
	buf_clear(b);
	buf_add(b, right, (size_t)(at - right));
	buf_adds(b, "<answer>");
	at += strlen("<answer>");
	buf_addc(b, *at == '7' ? '8' : '7');
	buf_adds(b, at + 1);
}

static void judge_one(RunFile *f, const Tok *t, uint64_t i, uint64_t style, size_t *longest)
{
	Err e = { 0 };
	Ids ids = { 0 };
	Buf wrong = BUF_INIT;
	const char *answer = NULL, *prompt;
	size_t n;
	int level;
	Document s = sample_of(f, SPLIT_TRAIN, i, style);
	assert_true(f->exam.ask(f->exam.ud, i, &prompt, &n, &level, &e));
	assert_int_equal(n, s.n_prompt);
	assert_memory_equal(prompt, s.prompt, n);
	assert_int_equal(crc_of(prompt, n) % 5, 0);
	assert_in_range(level, 1, 8);
	if (!judged(f, i, s.answer, &answer) || !answer)
		fail_msg("%s is judged wrong for %s", s.answer, s.prompt);
	corrupt(&wrong, s.answer);
	if (judged(f, i, wrong.s, &answer))
		fail_msg("%s is judged right for %s", wrong.s, s.prompt);
	assert_true(tok_encode(t, s.answer, s.n_answer, &ids, &e));
	*longest = ids.n > *longest ? ids.n : *longest;
	ids_done(&ids);
	buf_done(&wrong);
}

TEST(run_answers_are_right_for_their_own_judge_and_wrong_when_changed)
{
	Tok *t = tok_of("@reason");
	for (size_t k = 0; k < sizeof task_names / sizeof task_names[0]; k++) {
		char text[2000];
		snprintf(text, sizeof text, every_style, task_names[k], task_names[k]);
		RunFile *f = open_good(text);
		size_t longest = 0;
		for (uint64_t i = 0; i < 240; i++)
			judge_one(f, t, i, i / 3, &longest);
		if ((int64_t)longest >= f->exam.max_new)
			fail_msg("%s: %zu tokens, max_new %d", task_names[k], longest, (int)f->exam.max_new);
		run_file_free(f);
	}
	tok_free(t);
}

static RunFile *exam_of(const char *name, int level)
{
	Err e = { 0 };
	RunFile *f = run_exam_open(name, level, unit_src("lua"), &e);
	if (!f)
		fail_msg("%s", e.text);
	return f;
}

TEST(run_judge_wants_the_form)
{
	RunFile *f = exam_of("add", 2);
	Err e = { 0 };
	const char *prompt, *answer;
	size_t n;
	int level, a, b;
	char text[200];
	assert_true(f->exam.ask(f->exam.ud, 5, &prompt, &n, &level, &e));
	assert_int_equal(level, 2);
	assert_int_equal(sscanf(prompt, "a%d+%d=", &a, &b), 2);
	static const struct { const char *form; bool right; } form[] = { { "<think></think><answer>%d</answer>", true },
		{ "<think>anything</think><answer>%d</answer><eos>", true }, { "<answer>%d</answer>", false },
		{ "<think></think><answer>%d", false }, { "<think></think><answer>%d</answer>1", false },
		{ "<think></think><answer>0%d</answer>", false }, { "%d", false }, { "<think><answer>%d</answer>", false } };
	for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
		snprintf(text, sizeof text, "%.*s%d%s", (int)(strstr(form[i].form, "%d") - form[i].form), form[i].form, a + b,
			strstr(form[i].form, "%d") + 2);
		if (judged(f, 5, text, &answer) != form[i].right)
			fail_msg("%s for %s", text, prompt);
	}
	run_file_free(f);
}

TEST(run_countdown_accepts_every_right_expression)
{
	RunFile *f = open_good("local tasks = require 'lathe.tasks'\n"
			       "local p = { task = 'countdown', prompt = 't', n = { 3, 4, 6 }, target = 22 }\n"
			       "return { " MODEL "data = { get = function() return { answer = 'x' } end },\n"
			       "exam = { ask = function() return p end, judge = tasks.judge } }");
	static const struct { const char *text; bool right; } case_of[] = { { "(3*6)+4", true }, { "4+6*3", true }, { "((4)+(6*3))", true },
		{ "22", false }, { "3*6+3+1", false }, { "3*6+4+4-4", false }, { "3*6+4)", false }, { "(3*6+4", false }, { "", false },
		{ "4+6*3=", false }, { "--", false }, { "((((((((((((((((((((4+6*3))))))))))))))))))))", false } };
	for (size_t i = 0; i < sizeof case_of / sizeof case_of[0]; i++) {
		char text[200];
		const char *answer;
		snprintf(text, sizeof text, "<think></think><answer>%s</answer>", case_of[i].text);
		if (judged(f, 0, text, &answer) != case_of[i].right)
			fail_msg("%s", case_of[i].text);
	}
	run_file_free(f);
}

/* The formats of the recipe, word for word. */
TEST(run_traces_are_those_of_the_recipe)
{
	RunFile *f = open_good(
		"local tasks = require 'lathe.tasks'\n"
		"local k = tasks.kinds\n"
		"local text = { k.mult.body({ a = 47, b = 6 }, 'fine'), k.mult.body({ a = 72, b = 85 }, 'fine'), k.mult.body({ a = 72, b = 85 }, "
		"'coarse'), k.mult.body({ a = 72, b = 85 }, 'direct'), k.mult.body({ a = 12, b = 30 }, 'fine'), k.add.body({ a = 4980, b = 2824 }, 'fine'),\n"
		"k.chain.body({ answer = '8', steps = 'a4+3=7' }, 'guess') }\n"
		"return { " MODEL "data = { get = function(rng, split, row) return { prompt = '', answer = text[row + 1] .. '.' } end } }");
	static const char *const trace[] = { "7*6=42,4*6+4=28>282.",
		"2*5=10,7*5+1=36>360;2*8=16,7*8+1=57>576;0+0=0,6+6=12,3+7+1=11,0+5+1=6>6120.", "360+5760.", ".",
		"0;2*3=6,1*3=3>36;0+0=0,0+6=6,0+3=3>360.", "0+4=4,8+2=10,9+8+1=18,4+2+1=7>7804.", "8." };
	for (size_t i = 0; i < sizeof trace / sizeof trace[0]; i++)
		assert_string_equal(sample_of(f, SPLIT_TRAIN, i, 0).answer, trace[i]);
	run_file_free(f);
}

TEST(run_exam_is_found_by_name)
{
	Err e = { 0 };
	RunFile *f = exam_of("chain6", 0);
	const char *prompt;
	size_t n;
	int level;
	assert_true(f->exam.ask(f->exam.ud, 0, &prompt, &n, &level, &e));
	assert_int_equal(level, 6);
	assert_int_equal(n, 21);
	assert_true(!f->has_data && f->has_exam);
	run_file_free(f);
	f = exam_of("recall", 6);
	assert_true(f->exam.ask(f->exam.ud, 0, &prompt, &n, &level, &e));
	assert_int_equal(n, 1 + 64 * 5 - 1 + 4);
	run_file_free(f);
	static const struct { const char *name; int level; const char *text; } bad[] = { { "mlt2", 0, "none of that name" },
		{ "mult9", 0, "levels 1 to 3" }, { "add", 1, "levels 2 to 6" }, { "add2", 3, "of level 2" }, { "", 0, "none of that name" },
		{ "99999999999999999999", 0, "none of that name" }, { "mult99999999999999999999999", 0, "levels" } };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err_clear(&e);
		assert_null(run_exam_open(bad[i].name, bad[i].level, unit_src("lua"), &e));
		assert_int_equal(err_exit(&e), 8);
		if (!strstr(e.text, bad[i].text))
			fail_msg("\"%s\" is not in: %s", bad[i].text, e.text);
	}
}

TEST(run_card_names_the_task)
{
	char path[600];
	Err e = { 0 };
	Buf task = BUF_INIT;
	assert_false(run_exam_task(unit_tmp(), &task, &e));
	assert_int_equal(err_exit(&e), 4);
	snprintf(path, sizeof path, "%s/card.json", unit_tmp());
	static const char *const text[] = { "{\"task\": \"mult2\"}", "{\"task\": 5}", "[]", "{" };
	for (size_t i = 0; i < 4; i++) {
		FILE *file = fopen(path, "w");
		fputs(text[i], file);
		fclose(file);
		err_clear(&e);
		buf_clear(&task);
		assert_int_equal(run_exam_task(unit_tmp(), &task, &e), i == 0);
		assert_string_equal(buf_str(&task), i == 0 ? "mult2" : "");
		assert_int_equal(e.code, i == 0 ? 0 : E_8003);
	}
	remove(path);
	buf_done(&task);
}

/* --- wrong and hostile files --- */

static void wrong(const char *text, int code, const char *message)
{
	Err e = { 0 };
	RunFile *f = open_text(text, &e);
	assert_null(f);
	if (e.code != code || !strstr(e.text, message) || !strstr(e.text, code == E_8002 ? "" : "t.lua") || strchr(e.text, '\n'))
		fail_msg("E%d \"%s\" is not: E%d %s", code, message, e.code, e.text);
}

#define DATA "data = { get = function() return { answer = 'x' } end }, "

TEST(run_errors_name_the_field)
{
	wrong("return 5", E_8003, "must end with `return");
	wrong("", E_8003, "must end with `return");
	wrong("retrun {", E_8001, "t.lua:1:");
	wrong("local x\nlocal y = x.z", E_8001, "t.lua:2:");
	wrong("return { " DATA "tokenizer = 'x' }", E_8003, "either `model`");
	wrong("return { " DATA MODEL "from = 'x' }", E_8003, "either `model`");
	wrong("return { " DATA "model = { a = 1 } }", E_8003, "`tokenizer` is missing");
	wrong("return { " MODEL "}", E_8003, "`data` is missing");
	wrong("return { " MODEL "data = 5 }", E_8003, "data must be a table");
	wrong("return { " MODEL "data = { } }", E_8003, "data.get must be a function");
	wrong("return { " MODEL DATA "exam = { } }", E_8003, "exam.ask must be a function");
	wrong("return { " MODEL DATA "exam = { ask = print or error, judge = error, max_new = 'x' } }", E_8003, "exam.max_new");
	wrong("return { " MODEL DATA "learning_rate = 1 }", E_8003, "learning_rate");
	wrong("return { " MODEL DATA "lr = 'fast' }", E_8003, "lr");
	wrong("return { " MODEL DATA "lr = -1 }", E_8003, "lr");
	wrong("return { " MODEL DATA "steps = 1.5 }", E_8003, "whole number");
	wrong("return { " MODEL DATA "steps = 0/0 }", E_8003, "steps");
	wrong("return { " MODEL DATA "steps = {} }", E_8003, "steps: a table");
	wrong("return { " MODEL DATA "balance = 'much' }", E_8003, "one of none bias");
	wrong("return { " MODEL DATA "kv_heads = 0 }", E_8003, "kv_heads");
	wrong("return { " MODEL DATA "name = 5 }", E_8003, "name must be a text");
	wrong("return { " MODEL DATA "'x' }", E_8003, "without a name");
	wrong("return { " DATA "tokenizer = 'x', model = 5 }", E_8003, "model must be a table");
	wrong("return { " DATA "tokenizer = 'x', model = { a = 1 / 0 } }", E_8003, "not finite");
	wrong("return { " DATA "tokenizer = 'x', model = { a = error } }", E_8003, "function");
	wrong("local t = {} t.t = t return { " DATA "tokenizer = 'x', model = t }", E_8003, "deep");
	wrong("local t = {} for i = 1, 200 do t['k' .. i] = i end return { " DATA "tokenizer = 'x', model = t }", E_8003, "at most 128");
	wrong("\n\nrequire 'lathe.tasks'.source { { 'mult', styles = { nice = 1 } } }", E_8001, "t.lua:3: task mult has no style");
	wrong("\nrequire 'lathe.tasks'.exam 'mlt'", E_8001, "t.lua:2: task \"mlt\": there is none");
}

TEST(run_sees_no_other_file)
{
	static const char *const name[] = { "../x", "..", "/etc/passwd", "lathe/tasks", "lathe..tasks", ".lathe", "lathe.", "", "lathe.Tasks",
		"lathe.tasks\\0x", "os", "io", "lathe.nothing" };
	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
		char text[200];
		snprintf(text, sizeof text, "require '%s'", name[i]);
		wrong(text, E_8001, i == 12 || i == 10 || i == 11 ? "cannot be read" : "");
	}
	wrong("os.execute('true')", E_8001, "os");
	wrong("io.open('x')", E_8001, "io");
	wrong("load('return 1')()", E_8001, "load");
	wrong("dofile('x')", E_8001, "dofile");
	wrong("setmetatable({}, {})", E_8001, "setmetatable");
	wrong("pcall(error)", E_8001, "pcall");
	wrong("string.find('a', 'a')", E_8001, "find");
	wrong("math.random()", E_8001, "random");
	wrong("table.move({}, 1, 1e15, 2)", E_8001, "move");
	wrong("next({})", E_8001, "next");
	wrong("require 'lathe.core'.rng(1):int(5, 1)", E_8001, "a <= b");
	wrong("require 'lathe.core'.rng(1):pick {}", E_8001, "empty");
	wrong("require 'lathe.core'.rng(1):weighted { 0, 0 }", E_8001, "weight");
	wrong("require 'lathe.core'.rng(1).int(5, 1, 2)", E_8001, "lathe.rng");
	wrong("error({})", E_8001, "");
	wrong("\x1bLua", E_8001, "binary chunk");
}

/* Comparing texts takes one step whatever their length. */
TEST(run_is_stopped_by_the_clock_too)
{
	wrong("local a, b = ('x'):rep(1 << 20), ('x'):rep(1 << 20) for i = 1, 4 do a, b = a .. a, b .. b end\n"
	      "while true do local c = a == b end", E_8002, "too many steps");
}

TEST(run_cannot_run_away)
{
	wrong("while true do end", E_8002, "too many steps");
	wrong("local t = {} for i = 1, 1e9 do t[i] = {} end", E_8002, "");
	wrong("local s = 'x' while true do s = s .. s end", E_8002, "");
	wrong("local s = ('x'):rep(1 << 20) for i = 1, 6 do s = s .. s end while true do local t = s .. 'y' end", E_8002, "");
	wrong("('x'):rep(1e9)", E_8001, "1 MiB");
	wrong("local function f() return f() + 1 end return f()", E_8001, "overflow");
	wrong("table.sort({ 3, 2, 1, 5, 4 }, function() return true end)", E_8001, "invalid order");
	wrong("local t = {} for i = 1, 1 << 20 do t[i] = ('x'):rep(1 << 10) end return table.concat(t)", E_8002, "");
	wrong("local t = {} for i = 1, 1 << 16 do t[i] = i end while true do table.sort(t) end", E_8002, "too many steps");
	wrong("local t = {} for i = 1, 1 << 16 do t[i] = '' end while true do table.concat(t) end", E_8002, "too many steps");
	wrong("local t = {} for i = 1, 1 << 16 do t[i] = i end while true do table.insert(t, 1, table.remove(t, 1)) end", E_8002, "");
	wrong("local s, c = ('x'):rep(1 << 20), require 'lathe.core'.crc32 while true do c(s) end", E_8002, "too many steps");
	wrong("local s, f = ('x'):rep(1 << 20), require 'lathe.core'.find while true do f(s, 'y') end", E_8002, "too many steps");
	wrong("while true do local s = ('x'):rep(4000) end", E_8002, "too many steps");
	wrong("table.concat({}, 'x', 1, 1 << 60)", E_8001, "concat");
	wrong("table.unpack({}, 1, 1 << 40)", E_8001, "unpack");
}

static void get_fails(const char *body, int code, const char *message)
{
	char text[1000];
	Err e = { 0 };
	Document s = { 0 };
	snprintf(text, sizeof text, "return { " MODEL "data = { get = function(rng, split, row, i) if row == 1 then return { answer = 'well' } end "
				    "%s end } }", body);
	RunFile *f = open_good(text);
	assert_false(f->source.get(f->source.ud, SPLIT_TRAIN, 0, 0, &s, &e));
	if (e.code != code || !strstr(e.text, message) || !strstr(e.text, "t.lua"))
		fail_msg("E%d \"%s\" is not: E%d %s", code, message, e.code, e.text);
	assert_string_equal(sample_of(f, SPLIT_TRAIN, 1, 0).answer, "well");
	run_file_free(f);
}

TEST(run_functions_fail_by_themselves)
{
	get_fails("return 5", E_8001, "must return a table");
	get_fails("return {}", E_8001, "`answer` is missing");
	get_fails("return { answer = '' }", E_8001, "`answer` is missing");
	get_fails("return { answer = 5 }", E_8001, "must be a text");
	get_fails("return { answer = 'x', prompt = {} }", E_8001, "must be a text");
	get_fails("local x = nil + 1", E_8001, "arithmetic");
	get_fails("while true do end", E_8002, "too many steps");
	get_fails("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", E_8002, "");
	get_fails("error('two\\nlines')", E_8001, "two");
}

/* Many calls leave no steps spent and no memory behind. */
TEST(run_functions_can_be_called_for_ever)
{
	RunFile *f = open_good("return { " MODEL "data = { get = function(rng) local n = 0 for i = 1, 40000 do n = n + i end "
			       "return { answer = require 'lathe.sums' and ('x'):rep(512):rep(512) } end } }");
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(sample_of(f, SPLIT_TRAIN, i, 0).n_answer, 1 << 18);
	run_file_free(f);
}
