/* ref_block.c - linear, norm, rotation, routers and experts by the definition. */
#include "tests/ref/ref.h"
#include <math.h>

void ref_linear(int T, int N, int K, const double *x, const double *W, double *y)
{
	for (int t = 0; t < T; t++)
		for (int n = 0; n < N; n++) {
			double s = 0;
			for (int k = 0; k < K; k++)
				s += x[t * K + k] * W[n * K + k];
			y[t * N + n] = s;
		}
}

void ref_rmsnorm(int T, int n, const double *x, const double *g, double eps, double *y)
{
	for (int t = 0; t < T; t++) {
		double s = 0;
		for (int i = 0; i < n; i++)
			s += x[t * n + i] * x[t * n + i];
		for (int i = 0; i < n; i++)
			y[t * n + i] = g[i] * x[t * n + i] / sqrt(s / n + eps);
	}
}

void ref_rope(int d, int pos, double base, bool half, const double *x, double *y)
{
	for (int i = 0; i < d / 2; i++) {
		double angle = pos * pow(base, -2.0 * i / d), c = cos(angle), s = sin(angle);
		int a = half ? i : 2 * i, b = half ? i + d / 2 : 2 * i + 1;
		y[a] = x[a] * c - x[b] * s;
		y[b] = x[a] * s + x[b] * c;
	}
}

double ref_silu(double x)
{
	return x / (1 + exp(-x));
}

/* The best not yet taken, lower id on a tie. */
static int best(const double *s, int n, const bool *taken)
{
	int b = -1;
	for (int i = 0; i < n; i++)
		if (!taken[i] && (b < 0 || s[i] > s[b]))
			b = i;
	return b;
}

enum { MAX_E = 512 };

static void choose(const double *s, int E, int K, int *id)
{
	bool taken[MAX_E] = { false };
	for (int k = 0; k < K; k++)
		taken[best(s, E, taken)] = true;
	for (int i = 0, k = 0; i < E; i++)
		if (taken[i])
			id[k++] = i;
}

/* Scores outside the best groups become -inf; a group counts by its best, or by the sum of its two best. */
static void keep_groups(double *s, int E, int n_group, int topk_group, bool two)
{
	double value[MAX_E];
	int size = E / n_group;
	bool kept[MAX_E] = { false };
	for (int g = 0; g < n_group; g++) {
		bool taken[MAX_E] = { false };
		int a = best(s + g * size, size, taken);
		taken[a] = true;
		int b = best(s + g * size, size, taken);
		value[g] = s[g * size + a] + (two && b >= 0 ? s[g * size + b] : 0);
	}
	for (int k = 0; k < topk_group; k++)
		kept[best(value, n_group, kept)] = true;
	for (int i = 0; i < E; i++)
		if (!kept[i / size])
			s[i] = -(double)INFINITY;
}

void ref_route_v2(const double *z, int E, int K, int n_group, int topk_group, bool normalise, double scale,
	int *id, double *w)
{
	double p[MAX_E], masked[MAX_E], sum = 0, chosen = 0;
	for (int i = 0; i < E; i++)
		sum += p[i] = exp(z[i]);
	for (int i = 0; i < E; i++)
		masked[i] = p[i] /= sum;
	keep_groups(masked, E, n_group, topk_group, false);
	choose(masked, E, K, id);
	for (int k = 0; k < K; k++)
		chosen += p[id[k]];
	for (int k = 0; k < K; k++)
		w[k] = scale * p[id[k]] / (normalise ? chosen + 1e-20 : 1);
}

void ref_route_v3(const double *z, const double *bias, int E, int K, int n_group, int topk_group,
	double scale, int *id, double *w)
{
	double s[MAX_E], biased[MAX_E], sum = 1e-20;
	for (int i = 0; i < E; i++) {
		s[i] = 1 / (1 + exp(-z[i]));
		biased[i] = s[i] + bias[i];
	}
	keep_groups(biased, E, n_group, topk_group, true);
	choose(biased, E, K, id);
	for (int k = 0; k < K; k++)
		sum += s[id[k]];
	for (int k = 0; k < K; k++)
		w[k] = scale * s[id[k]] / sum;
}

void ref_experts(int h, int m, int K, const double *x, const int *id, const double *w, const double *gate,
	const double *up, const double *down, double *y)
{
	for (int i = 0; i < h; i++)
		y[i] = 0;
	for (int k = 0; k < K; k++)
		for (int j = 0; j < m; j++) {
			double a = 0, b = 0;
			for (int i = 0; i < h; i++) {
				a += gate[(id[k] * m + j) * h + i] * x[i];
				b += up[(id[k] * m + j) * h + i] * x[i];
			}
			for (int i = 0; i < h; i++)
				y[i] += w[k] * down[(id[k] * h + i) * m + j] * ref_silu(a) * b;
		}
}
