/* test_attend.c - attention against plain loops, its forms against each other, and the same bits for any cut
 * of the work. */
#include "tests/ops/stand.h"
#include "tests/ref/ref.h"
#include <math.h>
#include <string.h>

/* A set of operands for every kind of head arrangement. */
typedef struct Kind { const char *name; int H, G, d_k, d_r, d_v; bool mla; } Kind;
static const Kind kinds[] = {
	{ "MHA", 3, 3, 20, 0, 12, false },
	{ "MHA with a rotary part", 2, 2, 7, 4, 5, false },
	{ "GQA", 6, 2, 9, 4, 6, false },
	{ "MQA", 5, 1, 8, 2, 3, false },
	{ "MQA of many heads", 70, 1, 4, 2, 3, false },
	{ "naive MLA", 4, 4, 12, 6, 10, true },
};

typedef struct Operands { Ten *q, *k, *k_R, *v; Attend a; } Operands;

static Operands operands(Stand *s, const Kind *d, int T, int S, const Seq *seq, int n_seq, bool grad)
{
	Operands o = { .a = { .H = d->H,
					   .G = d->G,
					   .d_k = d->d_k,
					   .d_r = d->d_r,
					   .d_v = d->d_v,
					   .k_width = d->d_k,
					   .v_width = d->d_v,
					   .scale = 0.3,
					   .seq = seq,
					   .n_seq = n_seq } };
	o.q = stand_leaf(s, "q", T, d->H * (d->d_k + d->d_r), 1, grad);
	if (d->mla) {
		o.a.k_width = o.a.v_width = d->d_k + d->d_v;
		Ten *kv = stand_leaf(s, "kv", S, d->G * o.a.k_width, 1, grad);
		o.k = cols(s->t, kv, 0, d->G * o.a.k_width - d->d_v);
		o.v = cols(s->t, kv, d->d_k, d->G * o.a.k_width - d->d_k);
	} else {
		o.k = stand_leaf(s, "k", S, d->G * d->d_k, 1, grad);
		o.v = stand_leaf(s, "v", S, d->G * d->d_v, 1, grad);
	}
	o.k_R = d->d_r ? stand_leaf(s, "k_R", S, d->d_r, 1, grad) : NULL;
	return o;
}

static const double *reference(Stand *s, const Operands *o, int T, int S)
{
	RefHeads h = { o->a.H, o->a.G, o->a.d_k, o->a.d_r, o->a.d_v, o->a.scale };
	double *y = tape_alloc(s->t, (size_t)(T * h.H * h.d_v) * sizeof *y);
	ref_attend(&h, T, S, stand_doubles(s, o->q), stand_doubles(s, o->k), (int)ten_cols(o->k), o->a.k_width,
		o->k_R ? stand_doubles(s, o->k_R) : NULL, stand_doubles(s, o->v), (int)ten_cols(o->v), o->a.v_width,
		y);
	return y;
}

TEST(attend_is_the_definition)
{
	Stand s = stand_new(2);
	static const int TS[][2] = { { 1, 1 }, { 5, 5 }, { 3, 70 }, { 67, 130 }, { 1, 700 }, { 40, 600 } };
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (size_t k = 0; k < sizeof TS / sizeof TS[0]; k++) {
			tape_reset(s.t);
			Seq seq = { 0, TS[k][0], 0, TS[k][1] };
			Operands o = operands(&s, &kinds[i], TS[k][0], TS[k][1], &seq, 1, false);
			Ten *y = attend(s.t, o.q, o.k, o.k_R, o.v, &o.a);
			stand_ok(&s);
			stand_near(y, reference(&s, &o, TS[k][0], TS[k][1]), REF_TOL);
		}
	stand_free(&s);
}

TEST(attend_in_three_steps_is_the_same)
{
	Stand s = stand_new(2);
	static const Seq seq[] = { { 0, 4, 2, 9 }, { 4, 3, 11, 70 } };
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		tape_reset(s.t);
		Operands o = operands(&s, &kinds[i], 7, 81, seq, 2, false);
		Ten *fused = attend(s.t, o.q, o.k, o.k_R, o.v, &o.a);
		Ten *probs = attend_probs(s.t, attend_scores(s.t, o.q, o.k, o.k_R, &o.a), &o.a);
		Ten *parts = attend_values(s.t, probs, o.v, &o.a);
		stand_ok(&s);
		assert_int_equal(ten_rows(probs), 7 * o.a.H);
		assert_int_equal(ten_cols(probs), 70);
		assert_true(ten_real(probs)[9] == 0);
		stand_near(fused, stand_doubles(&s, parts), REF_TOL);
	}
	stand_free(&s);
}

/* Past one range of keys, where differences are too slow: the gradients of both forms agree. */
TEST(attend_gradients_of_both_forms_agree)
{
	Stand s = stand_new(2);
	static const Seq seq = { 0, 600, 0, 640 };
	static const Kind kind = { "GQA", 2, 1, 5, 4, 3, false };
	tape_record(s.t, true);
	Operands o = operands(&s, &kind, 600, 640, &seq, 1, true);
	Ten *leaf[] = { o.q, o.k, o.k_R, o.v };
	double *grad[4];
	Ten *y = attend(s.t, o.q, o.k, o.k_R, o.v, &o.a);
	assert_true(tape_backward(s.t, y, ten_real(y)));
	for (int i = 0; i < 4; i++) {
		grad[i] = stand_doubles(&s, leaf[i]->grad);
		memset(leaf[i]->grad->data, 0, (size_t)ten_count(leaf[i]) * sizeof(real));
	}
	Ten *probs = attend_probs(s.t, attend_scores(s.t, o.q, o.k, o.k_R, &o.a), &o.a);
	Ten *z = attend_values(s.t, probs, o.v, &o.a);
	assert_true(tape_backward(s.t, z, ten_real(y)));
	for (int i = 0; i < 4; i++)
		stand_near(leaf[i]->grad, grad[i], 10 * REF_TOL);
	stand_free(&s);
}

static Ten *mla_latent(Stand *s, Ten *q, Ten *c, Ten *k_R, Ten *W, const Attend *a)
{
	Ten *y = attend_latent(s->t, q, c, k_R, W, a, NULL);
	stand_ok(s);
	return y;
}

TEST(attend_latent_is_naive_mla_and_the_definition)
{
	Stand s = stand_new(2);
	static const struct {
		int H, T, S, r;
	} z[] = { { 8, 1, 1, 16 }, { 8, 1, 700, 24 }, { 3, 5, 40, 7 }, { 5, 33, 600, 8 }, { 70, 2, 66, 6 } };
	for (size_t i = 0; i < sizeof z / sizeof z[0]; i++) {
		tape_reset(s.t);
		int H = z[i].H, T = z[i].T, S = z[i].S, r = z[i].r, d_k = 6, d_r = 4, d_v = 5;
		Seq seq = { 0, T, 0, S };
		Attend a = { .H = H,
			.G = H,
			.d_k = d_k,
			.d_r = d_r,
			.d_v = d_v,
			.k_width = d_k + d_v,
			.v_width = d_k + d_v,
			.scale = 0.4,
			.seq = &seq,
			.n_seq = 1 };
		Ten *q = stand_leaf(&s, "q", T, H * (d_k + d_r), 1, false),
			*c = stand_leaf(&s, "c_KV", S, r, 1, false);
		Ten *k_R = stand_leaf(&s, "k_R", S, d_r, 1, false),
			*W = stand_leaf(&s, "W_UKV", H * (d_k + d_v), r, 0.4, false);
		RefHeads h = { H, H, d_k, d_r, d_v, 0.4 };
		double *naive = tape_alloc(s.t, (size_t)(T * H * d_v) * sizeof *naive),
			   *absorbed = tape_alloc(s.t, (size_t)(T * H * d_v) * sizeof *naive);
		const double *dq = stand_doubles(&s, q), *dc = stand_doubles(&s, c), *dk = stand_doubles(&s, k_R),
					 *dW = stand_doubles(&s, W);
		ref_mla(&h, T, S, r, dq, dc, dk, dW, naive);
		ref_mla_absorbed(&h, T, S, r, dq, dc, dk, dW, absorbed);
		stand_near(mla_latent(&s, q, c, k_R, W, &a), naive, REF_TOL);
		stand_near(mla_latent(&s, q, c, k_R, W, &a), absorbed, REF_TOL);
		Ten *probs = NULL, *y = attend_latent(s.t, q, c, k_R, W, &a, &probs);
		double sum = 0;
		stand_ok(&s);
		stand_near(y, naive, REF_TOL);
		for (int k = 0; k < S; k++)
			sum += (double)ten_real(probs)[(int64_t)(T * H - 1) * S + k];
		assert_close(sum, 1, 1e-5, 0);
	}
	stand_free(&s);
}

/* Stored weights and caches: bf16 is exact up to its own rounding, FP8 heads may begin inside a block of
 * scales. */
TEST(attend_latent_with_stored_types)
{
	Stand s = stand_new(1);
	int H = 3, T = 2, S = 9, r = 130, d_k = 60, d_r = 4, d_v = 50, n = H * (d_k + d_v);
	Seq seq = { 0, T, 0, S };
	Attend a = { .H = H, .G = H, .d_k = d_k, .d_r = d_r, .d_v = d_v, .scale = 0.1, .seq = &seq, .n_seq = 1 };
	Ten *q = stand_leaf(&s, "q", T, H * (d_k + d_r), 1, false), *c = stand_leaf(&s, "c_KV", S, r, 1, false);
	Ten *k_R = stand_leaf(&s, "k_R", S, d_r, 1, false), *W = stand_leaf(&s, "W_UKV", n, r, 0.4, false);
	Ten *W8 = stand_as(&s, W, DT_F8_E4M3), *Wr = stand_leaf(&s, "W", n, r, 1, false);
	float block[3 * 2] = { 1, 2, 0.5f, 3, 0.25f, 1.5f };
	W8->scale = block;
	W8->scale_stride = 2;
	ten_read(W8, 0, n, ten_real(Wr));
	stand_near(
		mla_latent(&s, q, c, k_R, W8, &a), stand_doubles(&s, mla_latent(&s, q, c, k_R, Wr, &a)), REF_TOL);
	Ten *Wb = stand_as(&s, W, DT_BF16), *cb = stand_as(&s, c, DT_BF16), *kb = stand_as(&s, k_R, DT_BF16);
	Ten *cr = stand_leaf(&s, "c", S, r, 1, false), *kr = stand_leaf(&s, "k", S, d_r, 1, false);
	ten_read(Wb, 0, n, ten_real(Wr));
	ten_read(cb, 0, S, ten_real(cr));
	ten_read(kb, 0, S, ten_real(kr));
	stand_near(
		mla_latent(&s, q, cb, kb, Wb, &a), stand_doubles(&s, mla_latent(&s, q, cr, kr, Wr, &a)), REF_TOL);
	stand_free(&s);
}

/* --- the same bits for one row, a chunk, or all; for one thread or three; wherever the sequence lies --- */

enum { LONG = 1100 };

typedef struct Bits { Ten *q, *k, *k_R, *v, *W; Attend a; bool latent; } Bits;

/* Rows [from, from+n) of the long sequence, with as many keys as the last of them sees. */
static Ten *cut(Stand *s, const Bits *b, int from, int n)
{
	Seq seq = { 0, n, 0, from + n };
	Attend a = b->a;
	a.seq = &seq;
	a.n_seq = 1;
	Ten *q = rows(s->t, b->q, from, n);
	Ten *y = b->latent ? attend_latent(s->t, q, b->k, b->k_R, b->W, &a, NULL)
					   : attend(s->t, q, b->k, b->k_R, b->v, &a);
	stand_ok(s);
	return y;
}

static void same_rows(const Ten *part, const Ten *all, int from)
{
	int64_t w = ten_cols(all);
	for (int64_t r = 0; r < ten_rows(part); r++)
		if (memcmp(ten_real(part) + r * w, ten_real(all) + (from + r) * w, (size_t)w * sizeof(real)) != 0)
			fail_msg("row %lld differs in its bits", (long long)(from + r));
}

static Bits bits_new(Stand *s, int i)
{
	Bits b = { .latent = i >= (int)(sizeof kinds / sizeof kinds[0]) };
	if (!b.latent) {
		Operands o = operands(s, &kinds[i], LONG, LONG, NULL, 0, false);
		return (Bits){ .q = o.q, .k = o.k, .k_R = o.k_R, .v = o.v, .a = o.a };
	}
	int H = 3, d_k = 6, d_r = 4, d_v = 5, r = 17;
	b.a = (Attend){ .H = H, .G = H, .d_k = d_k, .d_r = d_r, .d_v = d_v, .scale = 0.4 };
	b.q = stand_leaf(s, "q", LONG, H * (d_k + d_r), 1, false);
	b.k = stand_leaf(s, "c_KV", LONG, r, 1, false);
	b.k_R = stand_leaf(s, "k_R", LONG, d_r, 1, false);
	b.W = stand_leaf(s, "W_UKV", H * (d_k + d_v), r, 0.5, false);
	if (i % 2) {
		b.k = stand_as(s, b.k, DT_BF16);
		b.k_R = stand_as(s, b.k_R, DT_BF16);
	}
	return b;
}

TEST(attend_rows_do_not_depend_on_the_cut_or_the_threads)
{
	static const int alone[] = { 0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1099 };
	for (int i = 0; i < 8; i++) {
		Stand s = stand_new(1), s3 = stand_new(3);
		Bits b = bits_new(&s, i);
		Ten *all = cut(&s, &b, 0, LONG);
		for (size_t k = 0; k < sizeof alone / sizeof alone[0]; k++)
			same_rows(cut(&s, &b, alone[k], 1), all, alone[k]);
		for (int from = 0; from < LONG; from += from % 500 < 75 ? 7 : 425)
			same_rows(cut(&s, &b, from, from + 7 < LONG ? 7 : LONG - from), all, from);
		same_rows(cut(&s, &b, 37, 512), all, 37);
		same_rows(cut(&s3, &b, 0, LONG), all, 0);
		same_rows(cut(&s3, &b, 1099, 1), all, 1099);
		stand_free(&s3);
		stand_free(&s);
	}
}

TEST(attend_of_a_batch_is_that_of_each_sequence)
{
	Stand s = stand_new(2);
	static const Seq seq[] = { { 0, 40, 5, 90 }, { 40, 1, 95, 600 }, { 41, 9, 0, 9 } };
	Operands o = operands(&s, &kinds[1], 50, 700, seq, 3, false);
	Ten *all = attend(s.t, o.q, o.k, o.k_R, o.v, &o.a);
	stand_ok(&s);
	for (int i = 0; i < 3; i++) {
		Seq one = { 0, seq[i].rows, 0, seq[i].keys };
		Attend a = o.a;
		a.seq = &one;
		a.n_seq = 1;
		Ten *y =
			attend(s.t, rows(s.t, o.q, seq[i].row0, seq[i].rows), rows(s.t, o.k, seq[i].key0, seq[i].keys),
				rows(s.t, o.k_R, seq[i].key0, seq[i].keys), rows(s.t, o.v, seq[i].key0, seq[i].keys), &a);
		stand_ok(&s);
		same_rows(y, all, seq[i].row0);
	}
	stand_free(&s);
}

TEST(attend_gradients_do_not_depend_on_the_threads)
{
	Ten *g[2][4];
	Stand s[2] = { stand_new(1), stand_new(3) };
	static const Seq seq[] = { { 0, 70, 0, 90 }, { 70, 9, 90, 9 } };
	for (int i = 0; i < 2; i++) {
		tape_record(s[i].t, true);
		Operands o = operands(&s[i], &kinds[2], 79, 99, seq, 2, true);
		Ten *y = attend(s[i].t, o.q, o.k, o.k_R, o.v, &o.a);
		assert_true(tape_backward(s[i].t, y, NULL));
		Ten *leaf[] = { o.q, o.k, o.k_R, o.v };
		for (int k = 0; k < 4; k++)
			g[i][k] = leaf[k]->grad;
	}
	for (int k = 0; k < 4; k++)
		same_rows(g[0][k], g[1][k], 0);
	stand_free(&s[0]);
	stand_free(&s[1]);
}

TEST(attend_refuses_what_does_not_fit)
{
	Stand s = stand_new(1);
	Seq seq = { 0, 3, 0, 5 };
	Operands o = operands(&s, &kinds[1], 3, 5, &seq, 1, false);
	seq.keys = 6;
	assert_null(attend(s.t, o.q, o.k, o.k_R, o.v, &o.a));
	assert_string_equal(stand_error(&s, E_6002),
		"attend: q[3x22] does not fit k[5x14]: sequence 0 has rows 0 to 3 and keys 0 to 6");
	tape_reset(s.t);
	seq.keys = 5;
	o = operands(&s, &kinds[1], 3, 5, &seq, 1, false);
	assert_null(attend(s.t, o.q, o.k, NULL, o.v, &o.a));
	stand_error(&s, E_6002);
	tape_reset(s.t);
	o = operands(&s, &kinds[1], 4, 5, &seq, 1, false);
	assert_null(attend(s.t, o.q, o.k, o.k_R, o.v, &o.a));
	stand_error(&s, E_6002);
	stand_free(&s);
}
