/* lm_build.c - the places of the tensors: checkpoints.md 2. */
#include "model/lm_build.h"
#include "model/rope_table.h"
#include <stdio.h>
#include <string.h>

Ten *build_keep(Build *b, const Ten *x, bool as_real)
{
	Ten *y = arena_alloc(b->m->perm, sizeof *y);
	real *v = as_real && y ? arena_alloc(b->m->perm, sizeof *v * (size_t)ten_count(x)) : NULL;
	if (!y || (as_real && !v)) {
		b->failed = !err_set(b->e, E_5001, "out of memory for the weights' table");
		return NULL;
	}
	*y = *x;
	if (as_real) {
		ten_read(x, 0, ten_rows(x), v);
		*y = ten_wrap(REAL_DTYPE, v, x->rank, x->shape, x->name);
	}
	return y;
}

static void *build_alloc(Build *b, size_t n)
{
	void *p = arena_zalloc(b->m->perm, n);
	if (!p)
		b->failed = !err_set(b->e, E_5001, "out of memory for the weights' table");
	return p;
}

/* prefix + suffix, e.g. "model.layers.3." "mlp.gate.weight" */
static Ten *build_mat(Build *b, const char *prefix, const char *suffix, int64_t rows, int64_t cols)
{
	char name[128];
	snprintf(name, sizeof name, "%s%s", prefix, suffix);
	return b->get(b, name, 2, (int64_t[]){ rows, cols }, false);
}

static Ten *build_vec(Build *b, const char *prefix, const char *suffix, int64_t n, bool optional)
{
	char name[128];
	snprintf(name, sizeof name, "%s%s", prefix, suffix);
	return b->get(b, name, 1, (int64_t[]){ n }, optional);
}

static void build_mla(Build *b, const char *p, Attn *a)
{
	const Config *c = &b->m->c;
	int64_t h = c->hidden_size, dq = a->d_n + a->d_r;
	if (c->q_lora_rank) {
		a->W_DQ = build_mat(b, p, "self_attn.q_a_proj.weight", c->q_lora_rank, h);
		a->g_Q = build_vec(b, p, "self_attn.q_a_layernorm.weight", c->q_lora_rank, false);
		a->W_UQ = build_mat(b, p, "self_attn.q_b_proj.weight", a->H * dq, c->q_lora_rank);
	} else {
		a->W_Q = build_mat(b, p, "self_attn.q_proj.weight", a->H * dq, h);
	}
	a->W_DKV = build_mat(b, p, "self_attn.kv_a_proj_with_mqa.weight", a->r + a->d_r, h);
	a->g_KV = build_vec(b, p, "self_attn.kv_a_layernorm.weight", a->r, false);
	a->W_UKV = build_mat(b, p, "self_attn.kv_b_proj.weight", a->H * (int64_t)(a->d_n + a->d_v), a->r);
	if (c->attention_bias) {
		if (c->q_lora_rank)
			a->b_DQ = build_vec(b, p, "self_attn.q_a_proj.bias", c->q_lora_rank, false);
		a->b_DKV = build_vec(b, p, "self_attn.kv_a_proj_with_mqa.bias", a->r + a->d_r, false);
	}
}

/* The weights of a part from outside. *bias: the router's, when it is among them. */
static Ten **build_own(Build *b, const char *p, int n, const PartWeight *w, Ten **bias)
{
	Ten **own = build_alloc(b, sizeof *own * (size_t)(n + 1));
	for (int i = 0; i < n && !b->failed; i++) {
		b->part = &w[i];
		own[i] = w[i].rank > 1 ? build_mat(b, p, w[i].name, w[i].shape[0], w[i].shape[1])
				       : build_vec(b, p, w[i].name, w[i].shape[0], false);
		if (bias && w[i].rank == 1 && strstr(w[i].name, "e_score_correction_bias"))
			*bias = own[i];
	}
	b->part = NULL;
	return own;
}

static void build_attn(Build *b, const char *p, Attn *a)
{
	const Config *c = &b->m->c;
	*a = (Attn){ .kind = config_attention(c), .H = (int)c->num_attention_heads, .G = (int)config_key_heads(c),
		     .d_n = (int)c->qk_nope_head_dim, .d_r = (int)c->qk_rope_head_dim, .d_v = (int)c->v_head_dim,
		     .r = (int)c->kv_lora_rank, .scale = rope_softmax_scale(c), .h = (int)c->hidden_size };
	int64_t h = c->hidden_size, dq = a->d_n + a->d_r;
	if (b->parts && b->parts->attn) {
		a->kind = ATTN_OWN;
		a->part = b->parts->attn;
		a->own = build_own(b, p, a->part->n, a->part->weight, NULL);
		return;
	}
	if (a->kind == ATTN_MLA) {
		build_mla(b, p, a);
	} else {
		a->W_Q = build_mat(b, p, "self_attn.q_proj.weight", a->H * dq, h);
		a->W_K = build_mat(b, p, "self_attn.k_proj.weight", a->G * dq, h);
		a->W_V = build_mat(b, p, "self_attn.v_proj.weight", (int64_t)a->G * a->d_v, h);
	}
	a->W_O = build_mat(b, p, "self_attn.o_proj.weight", h, (int64_t)a->H * a->d_v);
	if (c->attention_bias)
		a->b_O = build_vec(b, p, "self_attn.o_proj.bias", h, false);
}

static void build_mlp(Build *b, const char *p, const char *at, int64_t width, Mlp *m)
{
	char q[112];
	int64_t h = b->m->c.hidden_size;
	snprintf(q, sizeof q, "%s%s", p, at);
	m->W_gate = build_mat(b, q, "gate_proj.weight", width, h);
	m->W_up = build_mat(b, q, "up_proj.weight", width, h);
	m->W_down = build_mat(b, q, "down_proj.weight", h, width);
}

static RouteRule build_rule(const Config *c)
{
	bool groups = c->topk_method != TOPK_GREEDY && c->n_group > 1;
	return (RouteRule){ .E = (int)c->n_routed_experts, .K = (int)c->num_experts_per_tok,
			    .n_group = groups ? (int)c->n_group : 1, .topk_group = groups ? (int)c->topk_group : 1,
			    .group_top2 = c->topk_method == TOPK_NOAUX,
			    /* V2's native graph ignores norm_topk_prob; with one expert normalising would
			     * leave a constant */
			    .normalise = c->norm_topk_prob && !c->softmax_gate, .scale = c->routed_scaling_factor };
}

static void build_gate(Build *b, const char *p, Moe *m)
{
	const Config *c = &b->m->c;
	m->part = b->parts ? b->parts->gate : NULL;
	if (m->part) {
		m->own = build_own(b, p, m->part->n, m->part->weight, &m->bias);
		return;
	}
	m->W_g = build_mat(b, p, "mlp.gate.weight", c->n_routed_experts, c->hidden_size);
	if (c->topk_method == TOPK_NOAUX)
		m->bias = build_vec(b, p, "mlp.gate.e_score_correction_bias", c->n_routed_experts, false);
}

static void build_moe(Build *b, const char *p, Moe *m)
{
	const Config *c = &b->m->c;
	int64_t E = c->n_routed_experts;
	m->rule = build_rule(c);
	m->softmax = c->softmax_gate;
	build_gate(b, p, m);
	Ten ***w[3] = { &m->W_gate, &m->W_up, &m->W_down };
	for (int k = 0; k < 3 && !b->failed; k++)
		*w[k] = build_alloc(b, sizeof(Ten *) * (size_t)E);
	for (int64_t j = 0; j < E && !b->failed; j++) {
		Mlp x;
		char at[64];
		snprintf(at, sizeof at, "mlp.experts.%lld.", (long long)j);
		build_mlp(b, p, at, c->moe_intermediate_size, &x);
		m->W_gate[j] = x.W_gate;
		m->W_up[j] = x.W_up;
		m->W_down[j] = x.W_down;
	}
	m->has_shared = c->n_shared_experts > 0;
	if (m->has_shared)
		build_mlp(b, p, "mlp.shared_experts.", c->n_shared_experts * c->moe_intermediate_size, &m->shared);
}

static void build_block(Build *b, int64_t layer, Block *k)
{
	const Config *c = &b->m->c;
	char p[64];
	snprintf(p, sizeof p, "model.layers.%lld.", (long long)layer);
	k->index = (int)layer;
	k->eps = c->rms_norm_eps;
	k->is_moe = config_is_moe(c, layer);
	k->g_attn = build_vec(b, p, "input_layernorm.weight", c->hidden_size, false);
	k->g_mlp = build_vec(b, p, "post_attention_layernorm.weight", c->hidden_size, false);
	build_attn(b, p, &k->attn);
	if (k->is_moe)
		build_moe(b, p, &k->moe);
	else
		build_mlp(b, p, "mlp.", c->intermediate_size, &k->mlp);
}

static void build_mtp(Build *b, int j)
{
	const Config *c = &b->m->c;
	int64_t layer = c->num_hidden_layers + j;
	Mtp *m = &b->m->mtp[j];
	char p[64];
	snprintf(p, sizeof p, "model.layers.%lld.", (long long)layer);
	m->g_emb = build_vec(b, p, "enorm.weight", c->hidden_size, false);
	m->g_hid = build_vec(b, p, "hnorm.weight", c->hidden_size, false);
	m->W_eh = build_mat(b, p, "eh_proj.weight", c->hidden_size, 2 * c->hidden_size);
	m->g_head = build_vec(b, p, "shared_head.norm.weight", c->hidden_size, false);
	build_block(b, layer, &m->block);
}

/* MTP modules run only behind a whole model, and only when the file holds them (some releases drop them). */
static int build_count_mtp(const Build *b, const LmOptions *o)
{
	const Config *c = &b->m->c;
	char name[96];
	snprintf(name, sizeof name, "model.layers.%lld.eh_proj.weight", (long long)c->num_hidden_layers);
	if (o->no_mtp || b->m->n_layers < c->num_hidden_layers || (b->m->ckpt && !ckpt_has(b->m->ckpt, name)))
		return 0;
	return (int)c->num_nextn_predict_layers;
}

/* A part from outside gives the config its name, and must be there when the config names one. */
static bool build_parts(Build *b, const LmOptions *o)
{
	static const char *const built_in[] = { "mla", "mha", "gqa", "mqa", NULL };
	Config *c = &b->m->c;
	const struct { const char *key, *part; char *name; bool needed; } of[] = {
		{ "lathe_attention", o->parts && o->parts->attn ? o->parts->attn->name : NULL, c->attention,
			config_attention(c) == ATTN_OWN },
		{ "lathe_router", o->parts && o->parts->gate ? o->parts->gate->name : NULL, c->router, c->router[0] != 0 },
	};
	b->parts = o->parts;
	for (int i = 0; of[0].part && built_in[i]; i++)
		if (strcmp(of[0].part, built_in[i]) == 0)
			return err_set(b->e, E_2102, "an attention of a script cannot be called %s: checkpoints mean the program's own by it",
				of[0].part);
	for (int i = 0; i < 2; i++) {
		bool other = of[i].needed && (!of[i].part || strcmp(of[i].part, of[i].name) != 0);
		if (other)
			return err_set(b->e, E_2004, "%s \"%s\" was defined by a script and is not in the program; open the model in "
				"a script that has it: lathe.nn.open(PATH, { %s = %s })", of[i].key, of[i].name, of[i].key + 6, of[i].name);
		if (of[i].part)
			snprintf(of[i].name, CONFIG_NAME_MAX, "%s", of[i].part);
	}
	return true;
}

bool build_model(Build *b, const LmOptions *o)
{
	Lm *m = b->m;
	const Config *c = &m->c;
	if (!build_parts(b, o))
		return false;
	if (c->arch == ARCH_V32)
		return err_set(b->e, E_2004,
			"model_type %s: sparse attention with the lightning indexer is not in this version; "
			"`lathe info` and `lathe kv` read such checkpoints",
			c->model_type);
	if (o->layers < 0 || o->layers > c->num_hidden_layers)
		return err_set(b->e, E_2003, "--layers %lld: the model has %lld", (long long)o->layers,
			(long long)c->num_hidden_layers);
	m->n_layers = (int)(o->layers ? o->layers : c->num_hidden_layers);
	m->n_mtp = build_count_mtp(b, o);
	m->block = build_alloc(b, sizeof *m->block * (size_t)m->n_layers);
	m->mtp = build_alloc(b, sizeof *m->mtp * (size_t)(m->n_mtp + 1));
	m->W_E = b->get(b, "model.embed_tokens.weight", 2, (int64_t[]){ c->vocab_size, c->hidden_size }, false);
	m->g_final = b->get(b, "model.norm.weight", 1, (int64_t[]){ c->hidden_size }, false);
	m->W_head = c->tie_word_embeddings ? m->W_E
					   : b->get(b, "lm_head.weight", 2, (int64_t[]){ c->vocab_size, c->hidden_size }, false);
	for (int i = 0; i < m->n_layers && !b->failed; i++)
		build_block(b, i, &m->block[i]);
	for (int j = 0; j < m->n_mtp && !b->failed; j++)
		build_mtp(b, j);
	return !b->failed;
}
