/* test_nn.c - modules of Lua as attention and router of a model in training: the reports' own, written in Lua, give the loss and every
 * gradient of the C ones to the bit; a script's own has the gradients that finite differences say; errors point at the script. */
#include "tests/unit.h"
#include "script/lab.h"
#include "script/lua_forward.h"
#include "script/lua_nn.h"
#include "train/state.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { V = 64, ROWS = 2, SEQ = 12 };

/* The same sizes for C and for nn.LM. */
#define SIZES(x) \
	x("hidden_size", 32) x("num_hidden_layers", 3) x("num_attention_heads", 2) \
	x("intermediate_size", 48) x("moe_intermediate_size", 16) x("n_routed_experts", 8) x("num_experts_per_tok", 2) \
	x("n_shared_experts", 1) x("n_group", 4) x("topk_group", 2) x("kv_lora_rank", 10) x("qk_nope_head_dim", 6) \
	x("qk_rope_head_dim", 4) x("v_head_dim", 5) x("num_nextn_predict_layers", 1) x("vocab_size", 64)
#define AS_JSON(name, n) "\"" name "\":" #n ","
#define AS_LUA(name, n) name "=" #n ","
static const char config_text[] = "{\"model_type\":\"deepseek_v3\"," SIZES(AS_JSON)
	"\"norm_topk_prob\":true,\"routed_scaling_factor\":1.5,\"rope_theta\":10000.0,\"max_position_embeddings\":128,";
#define MOE "\"first_k_dense_replace\":1," /* else all layers are dense, and nothing jumps when a weight is nudged */
#define LM "model = lathe.nn.LM { " SIZES(AS_LUA) "routed_scaling_factor=1.5, "

static void lab_say_error(Lab *lab, const char *text)
{
	Err e = { 0 };
	if (!lab_text(lab, text, strlen(text), "@test.lua", &e))
		fail_msg("%s", e.text);
}

static Lab *lab_make(const char *text)
{
	Err e = { 0 };
	static char dir[400];
	snprintf(dir, sizeof dir, "%s", unit_src("lua"));
	LabOptions o = { .threads = 1, .seed = 1, .memory_limit = 256 << 20, .lua_dir = dir };
	Lab *lab = lab_new(&o, &e);
	if (!lab)
		fail_msg("%s", e.text);
	lab_say_error(lab, "lathe = require 'lathe' nn = lathe.nn");
	lab_say_error(lab, text);
	return lab;
}

/* The parts of the global `model`; the stack of the lab keeps them. */
static const LmParts *parts_of(Lab *lab)
{
	lua_State *L = lab->room.L;
	lua_getglobal(L, "model");
	lua_getfield(L, -1, "parts");
	return lua_nn_parts(L, -1);
}

static TrainSettings settings(Balance balance)
{
	TrainSettings s;
	settings_default(&s);
	s.balance = balance;
	s.alpha = 0.01;
	s.init_std = 0.3;
	return s;
}

static Train *run_new(const char *more, const LmParts *parts, const TrainSettings *s)
{
	char text[1600];
	Err e = { 0 };
	Config c;
	snprintf(text, sizeof text, "%s%s}", config_text, more);
	if (!config_parse(text, strlen(text), "test", &c, &e))
		fail_msg("%s", e.text);
	Train *t = train_new(&(TrainStart){ .config = &c, .parts = parts, .threads = 1 }, s, NULL, NULL, &e);
	if (!t)
		fail_msg("%s", e.text);
	return t;
}

static void batch_fill(TrainBatch *b)
{
	Err e = { 0 };
	assert_true(pack_new(b, ROWS, SEQ, &e));
	for (int i = 0; i < ROWS * SEQ; i++) {
		b->id[i] = i * 7 % V;
		b->label[i] = (i + 1) * 7 % V;
		b->pos[i] = i % SEQ;
	}
	b->n_seq = ROWS;
	for (int i = 0; i < ROWS; i++)
		b->docs[i] = (Seq){ .row0 = i * SEQ, .rows = SEQ };
}

static void same_gradients(Train *a, Train *b)
{
	const Params *p = train_params(a), *q = train_params(b);
	assert_int_equal(p->n, q->n);
	for (int i = 0; i < p->n; i++) {
		assert_string_equal(p->p[i].t->name, q->p[i].t->name);
		assert_memory_equal(p->w + p->p[i].at, q->w + q->p[i].at, sizeof(real) * (size_t)p->p[i].n);
		if (memcmp(p->g + p->p[i].at, q->g + q->p[i].at, sizeof(real) * (size_t)p->p[i].n) != 0)
			fail_msg("gradient of %s", p->p[i].t->name);
	}
}

/* Three steps with the script's parts and with what C has for `config`, to the bit. */
static void check_same(const char *config, const char *script, const TrainSettings *s)
{
	Lab *lab = lab_make(script);
	const LmParts *parts = parts_of(lab);
	assert_non_null(parts);
	Train *own = run_new(config, NULL, s), *lua = run_new(config, parts, s);
	TrainBatch b;
	StepReport x, y;
	Err e = { 0 };
	batch_fill(&b);
	for (int i = 0; i < 3; i++) {
		if (!train_gradient(own, &b, TERMS_ALL, &x, &e) || !train_gradient(lua, &b, TERMS_ALL, &y, &e))
			fail_msg("%s", e.text);
		assert_true(x.loss == y.loss && x.aux == y.aux && x.mtp[0] == y.mtp[0]);
		same_gradients(own, lua);
		assert_true(train_update(own, &x, &e) && train_update(lua, &y, &e));
		assert_true(x.maxvio == y.maxvio && x.bias_drift == y.bias_drift && x.grad_norm == y.grad_norm);
	}
	assert_int_equal(lua_gettop(lab->room.L), 2);
	pack_free(&b);
	train_free(own);
	train_free(lua);
	lab_free(lab);
}

TEST(nn_mla_is_the_one_in_c)
{
	TrainSettings s = settings(BALANCE_BIAS);
	check_same(MOE "\"q_lora_rank\":null", LM "attention = nn.module('Mine', nn.MLA) }", &s);
	check_same(MOE "\"q_lora_rank\":12", LM "q_lora_rank = 12, attention = nn.module('Mine', nn.MLA) }", &s);
	s.recompute = true;
	check_same(MOE "\"q_lora_rank\":12", LM "q_lora_rank = 12, attention = nn.module('Mine', nn.MLA) }", &s);
}

TEST(nn_mla_with_yarn)
{
	TrainSettings s = settings(BALANCE_BIAS);
	check_same(MOE "\"q_lora_rank\":null,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":40,\"original_max_position_embeddings\":8,"
		"\"mscale\":1.0,\"mscale_all_dim\":0.707}", LM
		"rope_scaling = { type = 'yarn', factor = 40, original_max_position_embeddings = 8, mscale = 1.0, mscale_all_dim = 0.707 },"
		"attention = nn.module('Mine', nn.MLA) }", &s);
}

TEST(nn_heads_are_those_in_c)
{
	TrainSettings s = settings(BALANCE_BIAS);
	check_same(MOE "\"q_lora_rank\":null,\"lathe_attention\":\"mha\"", LM "attention = nn.module('Mine', nn.MHA) }", &s);
	check_same(MOE "\"q_lora_rank\":null,\"lathe_attention\":\"mqa\"", LM "attention = nn.module('Mine', nn.MQA) }", &s);
	check_same(MOE "\"q_lora_rank\":null,\"lathe_attention\":\"gqa\",\"num_key_value_heads\":1", LM "attention = nn.module('Mine', nn.GQA) }", &s);
}

TEST(nn_router_is_the_one_in_c)
{
	TrainSettings bias = settings(BALANCE_BIAS), sequence = settings(BALANCE_SEQUENCE);
	check_same(MOE "\"q_lora_rank\":null", LM "router = nn.module('Mine', nn.Router) }", &bias);
	check_same(MOE "\"q_lora_rank\":null", LM "router = nn.module('Mine', nn.Router) }", &sequence);
	check_same(MOE "\"q_lora_rank\":null,\"scoring_func\":\"softmax\",\"topk_method\":\"group_limited_greedy\"",
		LM "scoring_func = 'softmax', topk_method = 'group_limited_greedy', router = nn.module('Mine', nn.Router) }", &sequence);
}

/* What nn has in C is a word of the config, not a part. */
TEST(nn_built_in_classes_are_words)
{
	Lab *lab = lab_make(
		"assert(nn.LM { attention = nn.MLA, router = nn.Router }.parts == nil)\n"
		"assert(nn.LM { attention = nn.MLA }.lathe_attention == nil)\n"
		"local m = nn.LM { attention = nn.MQA } assert(m.lathe_attention == 'mqa' and m.num_key_value_heads == 1 and not m.parts)\n"
		"local g = nn.LM { attention = nn.GQA, hidden_size = 128 } assert(g.lathe_attention == 'gqa' and g.num_key_value_heads == 2)\n"
		"assert(nn.LM { attention = 'mha' }.lathe_attention == 'mha' and nn.MHA.name == 'MHA')\n"
		"assert(nn.LM { mtp = 2 }.num_nextn_predict_layers == 2 and nn.LM {}.vocab_size == nil and nn.LM {}.mtp == nil)\n");
	lab_free(lab);
}

#define GATED \
	"local GatedMLA = nn.module 'GatedMLA'\n" \
	"function GatedMLA:build(c) self.mla, self.gate = nn.MLA(c), nn.Linear(c.hidden_size, c.hidden_size) end\n" \
	"function GatedMLA:forward(h) return self.mla(h) * self.gate(h):sigmoid() end\n" LM "attention = GatedMLA }"

static double loss_of(Train *t, const TrainBatch *b)
{
	StepReport r;
	Err e = { 0 };
	if (!train_gradient(t, b, TERM_MAIN, &r, &e))
		fail_msg("%s", e.text);
	return r.loss;
}

/* Of every tensor of the attention, the element with the largest gradient against central differences. */
TEST(nn_gated_mla_has_true_gradients)
{
	Lab *lab = lab_make(GATED);
	TrainSettings s = settings(BALANCE_BIAS);
	Train *t = run_new("\"q_lora_rank\":null", parts_of(lab), &s);
	Params *p = train_params(t);
	const double step = sizeof(real) == 8 ? 1e-5 : 4e-3, tol = sizeof(real) == 8 ? 1e-6 : 3e-2;
	real *g = malloc(sizeof *g * (size_t)p->count);
	TrainBatch b;
	int seen = 0;
	batch_fill(&b);
	loss_of(t, &b);
	memcpy(g, p->g, sizeof *g * (size_t)p->count);
	for (int i = 0; i < p->n; i++) {
		if (!strstr(p->p[i].t->name, "self_attn") || strstr(p->p[i].t->name, "layers.3."))
			continue;
		int64_t at = p->p[i].at;
		for (int64_t k = at; k < p->p[i].at + p->p[i].n; k++)
			at = fabs((double)g[k]) > fabs((double)g[at]) ? k : at;
		real w = p->w[at];
		p->w[at] = w + (real)step;
		double up = loss_of(t, &b);
		p->w[at] = w - (real)step;
		double down = loss_of(t, &b);
		p->w[at] = w;
		assert_true(g[at] != 0);
		if (!(fabs((up - down) / (2 * step) - (double)g[at]) <= tol * (fabs((double)g[at]) + 1e-3)))
			fail_msg("%s: %.9g, differences say %.9g", p->p[i].t->name, (double)g[at], (up - down) / (2 * step));
		seen++;
	}
	assert_int_equal(seen, 3 * 6);
	bool gate = false;
	for (int i = 0; i < train_lm(t)->block[0].attn.part->n; i++)
		gate |= strcmp(train_lm(t)->block[0].attn.part->weight[i].name, "self_attn.gate.weight") == 0;
	assert_true(gate);
	free(g);
	pack_free(&b);
	train_free(t);
	lab_free(lab);
}

/* Weights and where they begin; a module within a list; a weight that two fields share is one. */
TEST(nn_weights_have_names)
{
	Lab *lab = lab_make("local A = nn.module 'A'\n"
		"function A:build(c)\n"
		"	self.norm_of_mine = nn.RMSNorm(32) self.lists = { nn.Linear(32, 8, { bias = true }), nn.Linear(8, 32) }\n"
		"	self.again = self.lists[2].weight self.c = c\n"
		"end\n"
		"function A:forward(h, ctx) seen = ctx.layer return self.lists[2](self.lists[1](self.norm_of_mine(h))) + 0 * h:linear(self.again:linear(self.again)) end\n"
		LM "attention = A }");
	static const char *const names[] = { "self_attn.norm_of_mine.weight", "self_attn.lists.0.weight", "self_attn.lists.0.bias",
		"self_attn.lists.1.weight" };
	const LmParts *parts = parts_of(lab);
	TrainSettings s = settings(BALANCE_BIAS);
	assert_int_equal(parts->attn->n, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(parts->attn->weight[i].name, names[i]);
	assert_true(parts->attn->weight[0].ones && !parts->attn->weight[2].ones);
	Train *t = run_new(MOE "\"q_lora_rank\":null", parts, &s);
	assert_true(ten_real(train_lm(t)->block[1].attn.own[0])[3] == 1 && ten_real(train_lm(t)->block[1].attn.own[2])[3] == 0);
	TrainBatch b;
	batch_fill(&b);
	assert_true(isfinite(loss_of(t, &b)));
	lua_getglobal(lab->room.L, "seen");
	assert_int_equal(lua_tointeger(lab->room.L, -1), 3); /* the MTP module's */
	pack_free(&b);
	train_free(t);
	lab_free(lab);
}

/* --- errors --- */

static void fails_in_step(const char *forward, const char *says)
{
	char text[1600];
	snprintf(text, sizeof text, "local A = nn.module 'A'\nfunction A:build(c) self.o = nn.Linear(32, 32) end\nfunction A:forward(h)\n%s\nend\n%s attention = A }",
		forward, LM);
	Lab *lab = lab_make(text);
	TrainSettings s = settings(BALANCE_BIAS);
	Train *t = run_new("\"q_lora_rank\":null", parts_of(lab), &s);
	TrainBatch b;
	StepReport r;
	Err e = { 0 };
	batch_fill(&b);
	for (int i = 0; i < 2 && !e.code; i++)
		train_gradient(t, &b, TERMS_ALL, &r, &e);
	if (!strstr(e.text, says))
		fail_msg("\"%s\" does not say \"%s\"", e.text, says);
	pack_free(&b);
	train_free(t);
	lab_free(lab);
}

TEST(nn_errors_of_a_forward)
{
	fails_in_step("return nil", "A:forward returned nil");
	fails_in_step("return self.o(h):cols(0, 7)", "gave [24x7]");
	fails_in_step("error 'oh no'", "test.lua:4: oh no");
	fails_in_step("return h:cols(0, 3):linear(self.o.weight)", "test.lua:4");
	fails_in_step("return self.o(h) + self.nothing(h)", "test.lua:4");
	fails_in_step("local c = coroutine.wrap(function() return self.o(h) end) return c():rows(0, 1)", "gave [1x32]");
	fails_in_step("count = (count or 0) + 1 kept = kept or h return self.o(count > 4 and kept or h)", "step that is over");
}

static void fails_at_once(const char *text, const char *says)
{
	Lab *lab = lab_make("");
	Err e = { 0 };
	if (lab_text(lab, text, strlen(text), "@test.lua", &e))
		fail_msg("no error: %s", text);
	if (!strstr(e.text, says) || !strstr(e.text, "test.lua:"))
		fail_msg("\"%s\" does not say \"%s\"", e.text, says);
	lab_free(lab);
}

TEST(nn_errors_of_a_model)
{
	fails_at_once("nn.LM { hiden_size = 3 }", "hiden_size is no size");
	fails_at_once("nn.LM { attention = 'rwkv' }", "a class is needed");
	fails_at_once("nn.LM { attention = 3 }", "must be a class");
	fails_at_once("nn.module 'a b'", "letters, digits");
	fails_at_once("local x = nn.Attention", "no such module");
	fails_at_once("local A = nn.module 'A' function A:build() self.w = nn.matrix(3, 1.5) end function A:forward() end nn.LM { attention = A }",
		"whole numbers");
	fails_at_once("local A = nn.module 'A' function A:build() self['a b'] = nn.matrix(3, 1) end function A:forward() end nn.LM { attention = A }",
		"letters, digits");
	fails_at_once("local A = nn.module 'A' function A:build() self.me = self self.l = {} for i = 1, 300 do self.l[i] = nn.vector(1) end end "
		"function A:forward() end nn.LM { attention = A }", "at most 200");
	fails_at_once("nn.module('A', nn.MLA)():build()", "");
}

TEST(nn_names_are_seen)
{
	Lab *lab = lab_make("assert(nn.name('x', lathe.ones(3)):sum() == 3)\nassert(not pcall(nn.name, '', lathe.ones(3)))\nassert(not pcall(nn.name, 'a', 3))");
	lab_free(lab);
}
