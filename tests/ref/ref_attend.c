/* ref_attend.c - attention by the definition. */
#include "tests/ref/ref.h"
#include <math.h>
#include <stdlib.h>

static double dot(int n, const double *a, const double *b)
{
	double s = 0;
	for (int i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

static void softmax(int n, double *p)
{
	double max = -(double)INFINITY, sum = 0;
	for (int i = 0; i < n; i++)
		max = p[i] > max ? p[i] : max;
	for (int i = 0; i < n; i++)
		sum += p[i] = exp(p[i] - max);
	for (int i = 0; i < n; i++)
		p[i] /= sum;
}

void ref_attend(const RefHeads *a, int T, int S, const double *q, const double *k, int ldk, int k_width,
	const double *k_R, const double *v, int ldv, int v_width, double *o)
{
	int dq = a->d_k + a->d_r;
	double *p = malloc((size_t)S * sizeof *p);
	for (int t = 0; t < T; t++)
		for (int h = 0; h < a->H; h++) {
			int g = h / (a->H / a->G), n = S - T + t + 1;
			const double *qh = q + (t * a->H + h) * dq;
			for (int s = 0; s < n; s++) {
				p[s] = dot(a->d_k, qh, k + s * ldk + g * k_width);
				if (k_R)
					p[s] += dot(a->d_r, qh + a->d_k, k_R + s * a->d_r);
				p[s] *= a->scale;
			}
			softmax(n, p);
			for (int c = 0; c < a->d_v; c++) {
				double sum = 0;
				for (int s = 0; s < n; s++)
					sum += p[s] * v[s * ldv + g * v_width + c];
				o[(t * a->H + h) * a->d_v + c] = sum;
			}
		}
	free(p);
}

void ref_mla(const RefHeads *a, int T, int S, int r, const double *q, const double *c, const double *k_R,
	const double *W, double *o)
{
	int each = a->d_k + a->d_v, wide = a->H * each;
	double *kv = malloc((size_t)(S * wide) * sizeof *kv);
	ref_linear(S, wide, r, c, W, kv);
	ref_attend(a, T, S, q, kv, wide, each, k_R, kv + a->d_k, wide, each, o);
	free(kv);
}

void ref_mla_absorbed(const RefHeads *a, int T, int S, int r, const double *q, const double *c,
	const double *k_R, const double *W, double *o)
{
	int dq = a->d_k + a->d_r, each = a->d_k + a->d_v;
	double *qt = malloc((size_t)r * sizeof *qt), *u = malloc((size_t)r * sizeof *u),
		   *p = malloc((size_t)S * sizeof *p);
	for (int t = 0; t < T; t++)
		for (int h = 0; h < a->H; h++) {
			const double *qh = q + (t * a->H + h) * dq, *UK = W + h * each * r, *UV = UK + a->d_k * r;
			int n = S - T + t + 1;
			for (int j = 0; j < r; j++) {
				qt[j] = u[j] = 0;
				for (int i = 0; i < a->d_k; i++)
					qt[j] += qh[i] * UK[i * r + j];
			}
			for (int s = 0; s < n; s++)
				p[s] = a->scale * (dot(r, qt, c + s * r) + dot(a->d_r, qh + a->d_k, k_R + s * a->d_r));
			softmax(n, p);
			for (int s = 0; s < n; s++)
				for (int j = 0; j < r; j++)
					u[j] += p[s] * c[s * r + j];
			for (int i = 0; i < a->d_v; i++)
				o[(t * a->H + h) * a->d_v + i] = dot(r, u, UV + i * r);
		}
	free(qt);
	free(u);
	free(p);
}
