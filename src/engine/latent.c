/* latent.c - see latent.h. Reads the cache itself, which holds c_KV of every position, and the weights where
 * they lie. */
#include "engine/latent.h"
#include "engine/engine.h"
#include "num/eigen.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const Attn *latent_attn(const LatheSession *s, int layer)
{
	const Lm *lm = s->m->lm;
	const Attn *a = layer < 0 || layer >= lm->n_layers ? NULL : &lm->block[layer].attn;
	return a && a->kind == ATTN_MLA && a->W_DKV && a->W_UKV && a->r <= LATENT_RANK_MAX ? a : NULL;
}

double latent_work(const LatheSession *s, int layer)
{
	const Attn *a = latent_attn(s, layer);
	double T = a ? (double)kv_length(s->kv, layer, 0) : 0, r = a ? a->r : 0;
	if (T < 1)
		return 0;
	double rows = (double)ten_rows(a->W_UKV), used = T < r ? T : r;
	return r * r * (T + rows + (double)ten_cols(a->W_DKV)) / 2 + 18 * r * r * r + rows * r * used;
}

/* Lower triangle of g += x x^T. */
static void gram_add(double *g, const real *x, int n)
{
	for (int i = 0; i < n; i++) {
		double *row = g + (size_t)i * (size_t)n, v = (double)x[i];
		for (int k = 0; k <= i; k++)
			row[k] += v * (double)x[k];
	}
}

/* g = sum over rows [row0, row0 + n) of x. */
static bool gram_rows(double *g, const Ten *x, int64_t row0, int64_t n, int r)
{
	real *row = malloc(sizeof *row * (size_t)ten_cols(x));
	memset(g, 0, sizeof *g * (size_t)r * (size_t)r);
	for (int64_t i = 0; row && i < n; i++) {
		ten_read(x, row0 + i, 1, row);
		gram_add(g, row, r);
	}
	free(row);
	return row != NULL;
}

/* g = W W^T of the first r rows: inner products of rows, all of which are read at once. */
static bool gram_of_rows(double *g, const Ten *W, int r)
{
	int64_t h = ten_cols(W);
	real *x = malloc(sizeof *x * (size_t)r * (size_t)h);
	if (!x)
		return false;
	ten_read(W, 0, r, x);
	for (int i = 0; i < r; i++)
		for (int k = 0; k <= i; k++) {
			double s = 0;
			for (int64_t j = 0; j < h; j++)
				s += (double)x[i * h + j] * (double)x[k * h + j];
			g[(size_t)i * (size_t)r + (size_t)k] = s;
		}
	free(x);
	return true;
}

static void singular(const double *w, int r, float *out)
{
	for (int i = 0; i < r; i++)
		out[i] = w[i] > 0 ? (float)sqrt(w[i]) : 0;
}

/* What each head reads through each of the directions u (rows) that carry anything. */
static bool heads_read(const Attn *a, const double *u, const double *energy, float *out)
{
	int r = a->r, width = a->d_n + a->d_v;
	real *row = malloc(sizeof *row * (size_t)r);
	for (int64_t i = 0; row && i < (int64_t)a->H * width; i++) {
		float *head = out + i / width * r;
		ten_read(a->W_UKV, i, 1, row);
		for (int j = 0; j < r && energy[j] > 1e-9 * energy[0]; j++) {
			const double *dir = u + (size_t)j * (size_t)r;
			double s = 0;
			for (int k = 0; k < r; k++)
				s += (double)row[k] * dir[k];
			head[j] += (float)(energy[j] * s * s);
		}
	}
	for (int i = 0; row && i < a->H; i++) {
		double sum = 0;
		for (int j = 0; j < r; j++)
			sum += (double)out[i * r + j];
		for (int j = 0; j < r && sum > 0; j++)
			out[i * r + j] = (float)((double)out[i * r + j] / sum);
	}
	free(row);
	return row != NULL;
}

static bool report_fill(
	const LatheSession *s, const Attn *a, int layer, LatentReport *o, double *g, double *w)
{
	int r = a->r;
	real *rows = malloc(sizeof *rows * (size_t)(o->tokens * r + 1));
	bool ok = rows && gram_of_rows(g, a->W_DKV, r) && eigen_symmetric(g, r, w, w + r);
	if (ok)
		singular(w, r, o->down);
	ok = ok && gram_rows(g, a->W_UKV, 0, ten_rows(a->W_UKV), r) && eigen_symmetric(g, r, w, w + r);
	if (ok)
		singular(w, r, o->up);
	if (ok) {
		kv_read(s->kv, layer, 0, 0, o->tokens, rows);
		Ten c = ten_wrap(REAL_DTYPE, rows, 2, (int64_t[]){ o->tokens, r }, NULL);
		ok = gram_rows(g, &c, 0, o->tokens, r) && eigen_symmetric(g, r, w, w + r);
	}
	free(rows);
	if (!ok)
		return false;
	for (int i = 0; i < r; i++) {
		w[i] = w[i] > 0 ? w[i] / (double)o->tokens : 0;
		o->energy[i] = (float)w[i];
	}
	return heads_read(a, g, w, o->heads);
}

bool latent_report(const LatheSession *s, int layer, LatentReport *out, Err *e)
{
	const Attn *a = latent_attn(s, layer);
	*out = (LatentReport){ 0 };
	if (!a || latent_work(s, layer) == 0)
		return err_set(e, E_9002, "layer %d has no latent to look at", layer);
	size_t r = (size_t)a->r, H = (size_t)a->H;
	*out = (LatentReport){ a->r, a->H, kv_length(s->kv, layer, 0), calloc(r, sizeof(float)),
		calloc(r * H, sizeof(float)), calloc(r, sizeof(float)), calloc(r, sizeof(float)) };
	double *g = malloc(sizeof *g * r * r), *w = malloc(sizeof *w * 3 * r);
	bool ok = g && w && out->energy && out->heads && out->down && out->up;
	if (!ok)
		err_set(e, E_5001, "out of memory for the spectrum of layer %d", layer);
	else if (!(ok = report_fill(s, a, layer, out, g, w)))
		err_set(e, E_6001,
			"layer %d: the latent or its weights hold values without a spectrum (NaN or "
			"infinite)",
			layer);
	free(g);
	free(w);
	if (!ok)
		latent_done(out);
	return ok;
}

void latent_done(LatentReport *r)
{
	free(r->energy);
	free(r->heads);
	free(r->down);
	free(r->up);
	*r = (LatentReport){ 0 };
}
