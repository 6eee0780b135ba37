/* test_parts.c - attention and router from outside: the papers' own, written here as a stranger would, give the loss and every gradient
 * of the built-in ones to the bit; checkpoints, recomputation and generation take them too. */
#include "tests/unit.h"
#include "model/rope_table.h"
#include "ops/ops.h"
#include "train/state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { H = 2, DN = 6, DR = 4, DV = 5, R = 10, RQ = 12, W = 32, E = 4, K = 2, V = 64, ROWS = 2, SEQ = 12 };

static const char config[] =
	"{\"model_type\":\"deepseek_v3\",\"vocab_size\":64,\"hidden_size\":32,\"num_hidden_layers\":3,\"num_attention_heads\":2,"
	"\"num_key_value_heads\":2,\"first_k_dense_replace\":1,\"intermediate_size\":48,\"moe_intermediate_size\":16,\"n_routed_experts\":4,"
	"\"num_experts_per_tok\":2,\"n_shared_experts\":1,\"n_group\":2,\"topk_group\":1,\"norm_topk_prob\":true,\"routed_scaling_factor\":1.5,"
	"\"scoring_func\":\"sigmoid\",\"topk_method\":\"noaux_tc\",\"kv_lora_rank\":10,\"q_lora_rank\":12,\"qk_nope_head_dim\":6,"
	"\"qk_rope_head_dim\":4,\"v_head_dim\":5,\"rope_theta\":10000.0,\"num_nextn_predict_layers\":1,\"max_position_embeddings\":128}";

/* --- V3 report, eq. 1-11 --- */
static const PartWeight mla_weights[] = {
	{ "self_attn.q_a_proj.weight", 2, { RQ, W }, false },
	{ "self_attn.q_a_layernorm.weight", 1, { RQ, 0 }, true },
	{ "self_attn.q_b_proj.weight", 2, { H * (DN + DR), RQ }, false },
	{ "self_attn.kv_a_proj_with_mqa.weight", 2, { R + DR, W }, false },
	{ "self_attn.kv_a_layernorm.weight", 1, { R, 0 }, true },
	{ "self_attn.kv_b_proj.weight", 2, { H * (DN + DV), R }, false },
	{ "self_attn.o_proj.weight", 2, { W, H * DV }, false },
};

static Ten *mla(void *ud, Tape *t, const struct Run *r, int layer, Ten *const *w, Ten *h)
{
	(void)layer;
	if (ud)
		++*(int *)ud;
	Ten *c_Q = rmsnorm(t, linear(t, h, w[0]), w[1], 1e-6);
	Ten *q = rope(t, linear(t, c_Q, w[2]), H, DN + DR, DN, r->b->pos, &r->m->rope);
	Ten *u = linear(t, h, w[3]);
	Ten *c_KV = rmsnorm(t, cols(t, u, 0, R), w[4], 1e-6);
	Ten *k_R = rope(t, cols(t, u, R, DR), 1, DR, 0, r->b->pos, &r->m->rope);
	Ten *kv = linear(t, c_KV, w[5]);
	Seq *seq = tape_alloc(t, sizeof *seq * (size_t)r->b->n_seq);
	for (int i = 0; i < r->b->n_seq; i++)
		seq[i] = (Seq){ r->b->seq[i].row0, r->b->seq[i].rows, r->b->seq[i].row0, r->b->seq[i].rows };
	Attend a = { H, H, DN, DR, DV, DN + DV, DN + DV, 1 / sqrt(DN + DR), seq, r->b->n_seq };
	Ten *k = cols(t, kv, 0, H * (DN + DV) - DV), *v = cols(t, kv, DN, H * (DN + DV) - DN);
	return linear(t, attend(t, q, k, k_R, v, &a), w[6]);
}

static const AttnPart mla_part = { "MyMLA", 7, mla_weights, NULL, mla };

/* --- V3 report, eq. 13-16 with the correction bias --- */
static const PartWeight gate_weights[] = {
	{ "mlp.gate.weight", 2, { E, W }, false },
	{ "mlp.gate.e_score_correction_bias", 1, { E, 0 }, false },
};

static bool gate(void *ud, Tape *t, const struct Run *r, int layer, Ten *const *w, Ten *h, Ten **weights, Ten **topk)
{
	(void)ud;
	(void)r;
	(void)layer;
	RouteRule rule = { E, K, 2, 1, true, true, 1.5 };
	Ten *s = tape_name(t, "scores", sigmoid(t, linear(t, h, w[0])));
	*topk = route_choose(t, s, w[1], &rule, NULL, NULL);
	*weights = route_weights(t, s, *topk, &rule);
	return *weights != NULL;
}

static const GatePart gate_part = { "MyRouter", 2, gate_weights, NULL, gate };

static Train *run_new(const LmParts *parts, const TrainSettings *s)
{
	Err e = { 0 };
	Config c;
	assert_true(config_parse(config, sizeof config - 1, "test", &c, &e));
	Train *t = train_new(&(TrainStart){ .config = &c, .parts = parts, .threads = 1 }, s, NULL, NULL, &e);
	if (!t)
		fail_msg("%s", e.text);
	return t;
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

/* Tensors lie in another order only where the part lists them so: they are compared by name. */
static void same_gradients(Train *a, Train *b)
{
	const Params *p = train_params(a), *q = train_params(b);
	assert_int_equal(p->n, q->n);
	assert_int_equal(p->count, q->count);
	for (int i = 0; i < p->n; i++) {
		int j = 0;
		while (j < q->n && strcmp(p->p[i].t->name, q->p[j].t->name) != 0)
			j++;
		assert_true(j < q->n);
		assert_memory_equal(p->w + p->p[i].at, q->w + q->p[j].at, sizeof(real) * (size_t)p->p[i].n);
		if (memcmp(p->g + p->p[i].at, q->g + q->p[j].at, sizeof(real) * (size_t)p->p[i].n) != 0)
			fail_msg("gradient of %s", p->p[i].t->name);
	}
}

static void check_same(const LmParts *parts, const TrainSettings *s)
{
	Train *own = run_new(NULL, s), *part = run_new(parts, s);
	TrainBatch b;
	StepReport x, y;
	Err e = { 0 };
	batch_fill(&b);
	for (int i = 0; i < 3; i++) {
		if (!train_gradient(own, &b, TERMS_ALL, &x, &e) || !train_gradient(part, &b, TERMS_ALL, &y, &e))
			fail_msg("%s", e.text);
		assert_true(x.loss == y.loss && x.aux == y.aux && x.mtp[0] == y.mtp[0]);
		same_gradients(own, part);
		assert_true(train_update(own, &x, &e) && train_update(part, &y, &e));
		assert_true(x.maxvio == y.maxvio && x.bias_drift == y.bias_drift);
	}
	pack_free(&b);
	train_free(own);
	train_free(part);
}

TEST(parts_attention_is_the_built_in_one)
{
	int calls = 0;
	AttnPart a = mla_part;
	a.ud = &calls;
	TrainSettings s = settings(BALANCE_BIAS);
	check_same(&(LmParts){ &a, NULL }, &s);
	assert_int_equal(calls, 3 * 4); /* three layers and the MTP module's, three steps */
}

TEST(parts_router_is_the_built_in_one)
{
	TrainSettings bias = settings(BALANCE_BIAS), sequence = settings(BALANCE_SEQUENCE);
	check_same(&(LmParts){ NULL, &gate_part }, &bias);
	check_same(&(LmParts){ NULL, &gate_part }, &sequence);
}

TEST(parts_are_recomputed)
{
	TrainSettings s = settings(BALANCE_SEQUENCE);
	s.recompute = true;
	check_same(&(LmParts){ &mla_part, &gate_part }, &s);
}

/* Rows that come one by one, from a cache, give what the whole text gives. */
TEST(parts_generate)
{
	enum { T = 9 };
	TrainSettings s = settings(BALANCE_BIAS);
	Train *t = run_new(&(LmParts){ &mla_part, &gate_part }, &s);
	Lm *m = train_lm(t);
	Err e = { 0 };
	Pool *pool = pool_new(1);
	Tape *tape = tape_new(pool, 0);
	int32_t id[2 * T], pos[2 * T];
	static real whole[2 * T * V];
	Seq seq[2] = { { .row0 = 0, .rows = T }, { .row0 = T, .rows = T } };
	for (int i = 0; i < 2 * T; i++) {
		id[i] = i * 11 % V;
		pos[i] = i % T;
	}
	Batch b = { 2 * T, id, pos, 2, seq, NULL };
	Run r = { m, NULL, &b, FORM_NAIVE };
	Ten *z = lm_logits(tape, &r, lm_hidden(tape, &r), NULL, 0);
	assert_true(tape_ok(tape, &e));
	memcpy(whole, ten_real(z), sizeof whole);
	Kv *kv = lm_kv(m, 2, 2, REAL_DTYPE, &e);
	assert_non_null(kv);
	for (int i = 0; i < T; i++) {
		int32_t one[2] = { id[i], id[T + i] }, at[2] = { i, i };
		int slot[2] = { 1, 0 };
		Seq q[2] = { { .row0 = 0, .rows = 1 }, { .row0 = 1, .rows = 1 } };
		Batch x = { 2, one, at, 2, q, slot };
		Run step = { m, kv, &x, FORM_ABSORBED };
		tape_reset(tape);
		z = lm_logits(tape, &step, lm_hidden(tape, &step), NULL, 0);
		if (!tape_ok(tape, &e))
			fail_msg("%s", e.text);
		for (int k = 0; k < 2; k++)
			for (int v = 0; v < V; v++)
				assert_close(ten_real(z)[k * z->stride + v], whole[(k * T + i) * V + v], 1e-5, 1e-5);
	}
	assert_int_equal(kv_bytes_used(kv), 3 * W * 2 * T * (int64_t)sizeof(real));
	kv_free(kv);
	tape_free(tape);
	pool_free(pool);
	train_free(t);
}

/* --- what a part gives is looked at --- */
static Ten *narrow(void *ud, Tape *t, const struct Run *r, int layer, Ten *const *w, Ten *h)
{
	(void)ud;
	(void)r;
	(void)layer;
	(void)w;
	return cols(t, h, 0, 8);
}

static bool lost(void *ud, Tape *t, const struct Run *r, int layer, Ten *const *w, Ten *h, Ten **weights, Ten **topk)
{
	bool ok = gate(ud, t, r, layer, w, h, weights, topk);
	if (ok)
		((int32_t *)(*topk)->data)[3] = E;
	return ok;
}

static void check_wrong(const LmParts *parts, const char *says)
{
	TrainSettings s = settings(BALANCE_BIAS);
	Train *t = run_new(parts, &s);
	TrainBatch b;
	StepReport r;
	Err e = { 0 };
	batch_fill(&b);
	assert_false(train_gradient(t, &b, TERMS_ALL, &r, &e));
	assert_int_equal(e.code, E_6003);
	if (!strstr(e.text, says))
		fail_msg("%s", e.text);
	pack_free(&b);
	train_free(t);
}

TEST(parts_that_give_nonsense)
{
	AttnPart a = { "Narrow", 0, NULL, NULL, narrow };
	GatePart g = gate_part;
	g.forward = lost;
	check_wrong(&(LmParts){ &a, NULL }, "layers.0.attn: Narrow: gave [24x8]");
	check_wrong(&(LmParts){ NULL, &g }, "token 1 goes to expert 4");
}

TEST(parts_are_not_called_what_the_program_has)
{
	AttnPart a = mla_part;
	LmParts parts = { &a, NULL };
	TrainSettings s = settings(BALANCE_BIAS);
	Config c;
	Err e = { 0 };
	a.name = "mha";
	assert_true(config_parse(config, sizeof config - 1, "test", &c, &e));
	assert_null(train_new(&(TrainStart){ .config = &c, .parts = &parts, .threads = 1 }, &s, NULL, NULL, &e));
	assert_int_equal(e.code, E_2102);
}

/* The name is in the checkpoint; without the part it is refused, with the part it opens and goes on. */
TEST(parts_in_checkpoints)
{
	TrainSettings s = settings(BALANCE_BIAS);
	LmParts parts = { &mla_part, &gate_part };
	Train *t = run_new(&parts, &s), *u;
	char out[] = "/tmp/lathe-parts-XXXXXX", path[64], cmd[96];
	TrainBatch b;
	StepReport r;
	Err e = { 0 };
	bool found = false;
	Buf note = BUF_INIT;
	batch_fill(&b);
	assert_non_null(mkdtemp(out));
	assert_true(train_gradient(t, &b, TERMS_ALL, &r, &e) && train_update(t, &r, &e));
	if (!train_save(t, out, &e) || !train_finish(t, out, REAL_DTYPE, NULL, &e))
		fail_msg("%s", e.text);
	uint64_t hash = train_hash(t);
	train_free(t);
	u = run_new(&parts, &s);
	assert_true(train_resume(u, out, &found, &note, &e) && found && train_hash(u) == hash);
	train_free(u);
	snprintf(path, sizeof path, "%s/model", out);
	assert_null(lm_open(path, NULL, &e));
	assert_int_equal(e.code, E_2004);
	assert_non_null(strstr(e.text, "lathe_attention \"MyMLA\""));
	err_clear(&e);
	Lm *m = lm_open(path, &(LmOptions){ .parts = &parts }, &e);
	if (!m)
		fail_msg("%s", e.text);
	lm_free(m);
	AttnPart other = mla_part;
	other.name = "Other";
	assert_null(lm_open(path, &(LmOptions){ .parts = &(LmParts){ &other, &gate_part } }, &e));
	snprintf(cmd, sizeof cmd, "rm -rf %s", out);
	assert_int_equal(system(cmd), 0);
	pack_free(&b);
	buf_done(&note);
}
