/* test_block.c - one block of the V3 layout, forward and backward in a straight line of plain loops (tests/ref/ref_backward.c), against the
 * tape: MLA without query latent, norms, then a dense layer or routed and shared experts. */
#include "tests/unit.h"
#include "tests/ref/ref.h"
#include "tests/ref/ref_backward.h"
#include "train/state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 12 };
#ifdef LATHE_DOUBLE
#define NEAR 1e-9
#else
#define NEAR 2e-5
#endif

typedef struct Straight {
	const Lm *m;
	const Block *b;
	Arena *a;
	int h, H, dn, dr, dv, r;
	double *x, *n1, *q, *u, *c, *kv, *head_q, *head_k, *head_v, *head_o, *o, *mid, *n2; /* values of the forward pass */
	double *y;
	int id[T][8];
	double w[T][8], z[T * 64];
} Straight;

static double *zeros(Straight *s, int n)
{
	return arena_zalloc(s->a, sizeof(double) * (size_t)n);
}

static double *doubles(Straight *s, const Ten *x)
{
	double *d = zeros(s, (int)ten_count(x));
	for (int64_t i = 0; i < ten_count(x); i++)
		d[i] = (double)ten_real(x)[i];
	return d;
}

/* The rotary part of row t of a head, or back. */
static void turn(const Straight *s, int t, int back, double *x)
{
	double c[64], sn[64], y[128];
	for (int i = 0; i < s->dr / 2; i++) {
		c[i] = (double)s->m->rope.cos[t * s->dr / 2 + i];
		sn[i] = (double)s->m->rope.sin[t * s->dr / 2 + i];
	}
	ref_turn(s->dr, c, sn, back, x, y);
	memcpy(x, y, sizeof *x * (size_t)s->dr);
}

static void add_to(int n, const double *x, double *y)
{
	for (int i = 0; i < n; i++)
		y[i] += x[i];
}

/* q, k, v of head i, rotated. */
static void head_parts(Straight *s, int i, const double *k_R)
{
	int d = s->dn + s->dr, w = s->dn + s->dv;
	for (int t = 0; t < T; t++) {
		memcpy(s->head_q + t * d, s->q + (t * s->H + i) * d, sizeof(double) * (size_t)d);
		turn(s, t, 0, s->head_q + t * d + s->dn);
		memcpy(s->head_k + t * d, s->kv + (t * s->H + i) * w, sizeof(double) * (size_t)s->dn);
		memcpy(s->head_k + t * d + s->dn, k_R + t * s->dr, sizeof(double) * (size_t)s->dr);
		turn(s, t, 0, s->head_k + t * d + s->dn);
		memcpy(s->head_v + t * s->dv, s->kv + (t * s->H + i) * w + s->dn, sizeof(double) * (size_t)s->dv);
	}
}

static void k_rotary(const Straight *s, double *k_R)
{
	for (int t = 0; t < T; t++)
		memcpy(k_R + t * s->dr, s->u + t * (s->r + s->dr) + s->r, sizeof(double) * (size_t)s->dr);
}

static void attention(Straight *s)
{
	const Attn *a = &s->b->attn;
	int d = s->dn + s->dr;
	double *c_raw = zeros(s, T * s->r), *k_R = zeros(s, T * s->dr), *out = zeros(s, T * s->h);
	s->n1 = zeros(s, T * s->h);
	ref_rmsnorm(T, s->h, s->x, doubles(s, s->b->g_attn), s->b->eps, s->n1);
	s->q = zeros(s, T * s->H * d);
	ref_linear(T, s->H * d, s->h, s->n1, doubles(s, a->W_Q), s->q);
	s->u = zeros(s, T * (s->r + s->dr));
	ref_linear(T, s->r + s->dr, s->h, s->n1, doubles(s, a->W_DKV), s->u);
	for (int t = 0; t < T; t++)
		memcpy(c_raw + t * s->r, s->u + t * (s->r + s->dr), sizeof(double) * (size_t)s->r);
	k_rotary(s, k_R);
	s->c = zeros(s, T * s->r);
	ref_rmsnorm(T, s->r, c_raw, doubles(s, a->g_KV), 1e-6, s->c);
	s->kv = zeros(s, T * s->H * (s->dn + s->dv));
	ref_linear(T, s->H * (s->dn + s->dv), s->r, s->c, doubles(s, a->W_UKV), s->kv);
	s->head_q = zeros(s, T * d);
	s->head_k = zeros(s, T * d);
	s->head_v = zeros(s, T * s->dv);
	s->head_o = zeros(s, T * s->dv);
	s->o = zeros(s, T * s->H * s->dv);
	for (int i = 0; i < s->H; i++) {
		head_parts(s, i, k_R);
		ref_head(T, d, s->dv, a->scale, s->head_q, s->head_k, s->head_v, s->head_o);
		for (int t = 0; t < T; t++)
			memcpy(s->o + (t * s->H + i) * s->dv, s->head_o + t * s->dv, sizeof(double) * (size_t)s->dv);
	}
	ref_linear(T, s->h, s->H * s->dv, s->o, doubles(s, a->W_O), out);
	s->mid = zeros(s, T * s->h);
	add_to(T * s->h, s->x, s->mid);
	add_to(T * s->h, out, s->mid);
}

/* gx += the gradient of down(silu(gate x) * up x), each row with weight w; gw (may be NULL) receives gy . E(x) for each row. */
static void mlp_back(Straight *s, const Ten *gate, const Ten *up, const Ten *down, int rows, const double *x, const double *w, const double *gy,
	double *gx, double *gw, double *y)
{
	int m = (int)gate->shape[0];
	double *Wg = doubles(s, gate), *Wu = doubles(s, up), *Wd = doubles(s, down);
	double *a = zeros(s, rows * m), *b = zeros(s, rows * m), *e = zeros(s, rows * m), *out = zeros(s, rows * s->h);
	double *ge = zeros(s, rows * m), *ga = zeros(s, rows * m), *gb = zeros(s, rows * m), *go = zeros(s, rows * s->h);
	ref_linear(rows, m, s->h, x, Wg, a);
	ref_linear(rows, m, s->h, x, Wu, b);
	for (int i = 0; i < rows * m; i++)
		e[i] = ref_silu(a[i]) * b[i];
	ref_linear(rows, s->h, m, e, Wd, out);
	for (int t = 0; t < rows; t++)
		for (int i = 0; i < s->h; i++) {
			y[t * s->h + i] += w[t] * out[t * s->h + i];
			go[t * s->h + i] = w[t] * gy[t * s->h + i];
			if (gw)
				gw[t] += gy[t * s->h + i] * out[t * s->h + i];
		}
	ref_linear_back(rows, s->h, m, e, Wd, go, ge, NULL);
	ref_swiglu_back(rows * m, a, b, ge, ga, gb);
	ref_linear_back(rows, m, s->h, x, Wg, ga, gx, NULL);
	ref_linear_back(rows, m, s->h, x, Wu, gb, gx, NULL);
}

/* The router's part (training.md 2.7): gw[t][k] are the gradients of the gate weights. */
static void router_back(Straight *s, double gw[T][8], double *gx, double *gW)
{
	const Moe *m = &s->b->moe;
	int E = m->rule.E, K = m->rule.K;
	double *gz = zeros(s, T * E);
	for (int t = 0; t < T; t++) {
		double sum = 0, mean = 0;
		for (int k = 0; k < K; k++) {
			sum += 1 / (1 + exp(-s->z[t * E + s->id[t][k]]));
			mean += gw[t][k] * s->w[t][k];
		}
		for (int k = 0; k < K; k++) {
			double sc = 1 / (1 + exp(-s->z[t * E + s->id[t][k]]));
			gz[t * E + s->id[t][k]] = (m->rule.scale * gw[t][k] - mean) / sum * sc * (1 - sc);
		}
	}
	ref_linear_back(T, E, s->h, s->n2, doubles(s, m->W_g), gz, gx, gW);
}

/* Feed-forward part forward and backward in one: y and the gradient of n2. */
static void feed_forward(Straight *s, const double *gy, double *f, double *gn, double *g_router)
{
	const Moe *m = &s->b->moe;
	double one[T], gw[T][8] = { { 0 } };
	for (int t = 0; t < T; t++)
		one[t] = 1;
	if (!s->b->is_moe) {
		const Mlp *p = &s->b->mlp;
		mlp_back(s, p->W_gate, p->W_up, p->W_down, T, s->n2, one, gy, gn, NULL, f);
		return;
	}
	ref_linear(T, m->rule.E, s->h, s->n2, doubles(s, m->W_g), s->z);
	double *bias = doubles(s, m->bias);
	for (int t = 0; t < T; t++)
		ref_route_v3(s->z + t * m->rule.E, bias, m->rule.E, m->rule.K, m->rule.n_group, m->rule.topk_group, m->rule.scale, s->id[t], s->w[t]);
	for (int t = 0; t < T; t++)
		for (int k = 0; k < m->rule.K; k++) {
			int e = s->id[t][k];
			mlp_back(s, m->W_gate[e], m->W_up[e], m->W_down[e], 1, s->n2 + t * s->h, &s->w[t][k], gy + t * s->h, gn + t * s->h, &gw[t][k],
				f + t * s->h);
		}
	mlp_back(s, m->shared.W_gate, m->shared.W_up, m->shared.W_down, T, s->n2, one, gy, gn, NULL, f);
	router_back(s, gw, gn, g_router);
}

/* From the gradient of o to those of x's norm, with W_DKV's and W_UKV's. */
static void attention_back(Straight *s, const double *go, double *gn, double *gW_DKV, double *gW_UKV)
{
	const Attn *a = &s->b->attn;
	int d = s->dn + s->dr, w = s->dn + s->dv, wide = s->r + s->dr;
	double *gq = zeros(s, T * s->H * d), *gkv = zeros(s, T * s->H * w), *gu = zeros(s, T * wide), *gc = zeros(s, T * s->r), *k_R = zeros(s, T * s->dr);
	double *raw = zeros(s, T * s->r), *graw = zeros(s, T * s->r);
	k_rotary(s, k_R);
	for (int i = 0; i < s->H; i++) {
		double *hq = zeros(s, T * d), *hk = zeros(s, T * d), *hv = zeros(s, T * s->dv), *ho = zeros(s, T * s->dv);
		for (int t = 0; t < T; t++)
			memcpy(ho + t * s->dv, go + (t * s->H + i) * s->dv, sizeof(double) * (size_t)s->dv);
		head_parts(s, i, k_R);
		ref_head_back(T, d, s->dv, a->scale, s->head_q, s->head_k, s->head_v, ho, hq, hk, hv);
		for (int t = 0; t < T; t++) {
			turn(s, t, 1, hq + t * d + s->dn);
			turn(s, t, 1, hk + t * d + s->dn);
			add_to(d, hq + t * d, gq + (t * s->H + i) * d);
			add_to(s->dn, hk + t * d, gkv + (t * s->H + i) * w);
			add_to(s->dv, hv + t * s->dv, gkv + (t * s->H + i) * w + s->dn);
			add_to(s->dr, hk + t * d + s->dn, gu + t * wide + s->r); /* one rotary key for all heads */
		}
	}
	ref_linear_back(T, s->H * w, s->r, s->c, doubles(s, a->W_UKV), gkv, gc, gW_UKV);
	for (int t = 0; t < T; t++)
		memcpy(raw + t * s->r, s->u + t * wide, sizeof(double) * (size_t)s->r);
	ref_rmsnorm_back(T, s->r, raw, doubles(s, a->g_KV), 1e-6, gc, graw, NULL);
	for (int t = 0; t < T; t++)
		add_to(s->r, graw + t * s->r, gu + t * wide);
	ref_linear_back(T, s->H * d, s->h, s->n1, doubles(s, a->W_Q), gq, gn, NULL);
	ref_linear_back(T, wide, s->h, s->n1, doubles(s, a->W_DKV), gu, gn, gW_DKV);
}

static void near(const char *what, const Ten *have, const double *want)
{
	double scale = 0;
	for (int64_t i = 0; i < ten_count(have); i++)
		scale = fmax(scale, fabs(want[i]));
	assert_true(scale > 0);
	for (int64_t i = 0; i < ten_count(have); i++)
		if (!(fabs((double)ten_real(have)[i] - want[i]) <= NEAR * scale))
			fail_msg("%s[%lld]: %.9g, straight line %.9g", what, (long long)i, (double)ten_real(have)[i], want[i]);
}

static void check_block(int layer)
{
	Err e = { 0 };
	TrainSettings set;
	settings_default(&set);
	Train *t = train_new(&(TrainStart){ .from = unit_src("tests/data/train/v3-yarn"), .threads = 1 }, &set, NULL, NULL, &e);
	if (!t)
		fail_msg("%s", e.text);
	const Block *b = &t->lm->block[layer];
	const Attn *a = &b->attn;
	Straight *s = calloc(1, sizeof *s);
	*s = (Straight){ .m = t->lm, .b = b, .a = arena_new("straight line", 0), .h = (int)t->lm->c.hidden_size, .H = a->H, .dn = a->d_n, .dr = a->d_r, .dv = a->d_v, .r = a->r };
	int h = s->h;
	int32_t pos[T], id[T] = { 0 };
	real x[T * 64], seed[T * 64];
	assert_true(lm_rope_reserve(t->lm, T, &e));
	s->x = zeros(s, T * h);
	double *gy = zeros(s, T * h);
	for (int i = 0; i < T * h; i++) {
		x[i] = (real)sin(i * 0.37 + layer);
		seed[i] = (real)cos(i * 0.73);
		s->x[i] = (double)x[i];
		gy[i] = (double)seed[i];
	}
	for (int i = 0; i < T; i++)
		pos[i] = i;

	Seq seq = { 0, T, 0, T };
	Batch batch = { T, id, pos, 1, &seq, NULL };
	Run run = { t->lm, NULL, &batch, FORM_NAIVE };
	tape_record(t->tape, true);
	Ten *in = tape_leaf(t->tape, ten_wrap(REAL_DTYPE, x, 2, (int64_t[]){ T, h }, "x"), true);
	Ten *out = block_forward(t->tape, &run, b, in);
	assert_true(tape_ok(t->tape, &e) && tape_backward(t->tape, out, seed));

	attention(s);
	s->n2 = zeros(s, T * h);
	ref_rmsnorm(T, h, s->mid, doubles(s, b->g_mlp), b->eps, s->n2);
	double *y = zeros(s, T * h), *gn2 = zeros(s, T * h), *gmid = zeros(s, T * h), *go = zeros(s, T * s->H * s->dv), *gn1 = zeros(s, T * h), *gx = zeros(s, T * h);
	double *g_router = zeros(s, b->is_moe ? b->moe.rule.E * h : 1), *gW_O = zeros(s, h * s->H * s->dv), *gg = zeros(s, h);
	double *gW_DKV = zeros(s, (s->r + s->dr) * h), *gW_UKV = zeros(s, s->H * (s->dn + s->dv) * s->r);
	feed_forward(s, gy, y, gn2, g_router);
	add_to(T * h, s->mid, y);
	add_to(T * h, gy, gmid);
	ref_rmsnorm_back(T, h, s->mid, doubles(s, b->g_mlp), b->eps, gn2, gmid, gg);
	ref_linear_back(T, h, s->H * s->dv, s->o, doubles(s, a->W_O), gmid, go, gW_O);
	attention_back(s, go, gn1, gW_DKV, gW_UKV);
	add_to(T * h, gmid, gx);
	ref_rmsnorm_back(T, h, s->x, doubles(s, b->g_attn), b->eps, gn1, gx, NULL);

	near("y", out, y);
	near("dx", in->grad, gx);
	near("dW_O", a->W_O->grad, gW_O);
	near("dg_mlp", b->g_mlp->grad, gg);
	near("dW_DKV", a->W_DKV->grad, gW_DKV);
	near("dW_UKV", a->W_UKV->grad, gW_UKV);
	if (b->is_moe)
		near("dW_g", b->moe.W_g->grad, g_router);
	arena_free(s->a);
	free(s);
	train_free(t);
}

TEST(a_dense_block_is_its_straight_line) { check_block(0); }
TEST(a_block_with_experts_is_its_straight_line) { check_block(1); }
