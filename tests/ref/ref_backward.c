/* ref_backward.c - see ref_backward.h. */
#include "tests/ref/ref_backward.h"
#include <math.h>
#include <string.h>

void ref_linear_back(int T, int N, int K, const double *x, const double *W, const double *gy, double *gx, double *gW)
{
	for (int t = 0; t < T; t++)
		for (int n = 0; n < N; n++)
			for (int k = 0; k < K; k++) {
				gx[t * K + k] += gy[t * N + n] * W[n * K + k];
				if (gW)
					gW[n * K + k] += gy[t * N + n] * x[t * K + k];
			}
}

void ref_rmsnorm_back(int T, int n, const double *x, const double *g, double eps, const double *gy, double *gx, double *gg)
{
	for (int t = 0; t < T; t++, x += n, gy += n, gx += n) {
		double square = 0, dot = 0;
		for (int i = 0; i < n; i++) {
			square += x[i] * x[i];
			dot += gy[i] * g[i] * x[i];
		}
		double r = 1 / sqrt(square / n + eps);
		for (int i = 0; i < n; i++) {
			gx[i] += r * gy[i] * g[i] - x[i] * r * r * r / n * dot;
			if (gg)
				gg[i] += gy[i] * x[i] * r;
		}
	}
}

void ref_swiglu_back(int n, const double *a, const double *b, const double *gh, double *ga, double *gb)
{
	for (int i = 0; i < n; i++) {
		double s = 1 / (1 + exp(-a[i]));
		gb[i] += gh[i] * a[i] * s;
		ga[i] += gh[i] * b[i] * s * (1 + a[i] * (1 - s));
	}
}

void ref_turn(int d, const double *c, const double *s, int back, const double *x, double *y)
{
	for (int i = 0; i < d / 2; i++) {
		double u = x[2 * i], v = x[2 * i + 1], sn = back ? -s[i] : s[i];
		y[2 * i] = u * c[i] - v * sn;
		y[2 * i + 1] = u * sn + v * c[i];
	}
}

/* Probabilities of row t over keys 0..t. */
static void head_probs(int t, int d, double tau, const double *q, const double *k, double *p)
{
	double max = -INFINITY, sum = 0;
	for (int s = 0; s <= t; s++) {
		p[s] = 0;
		for (int i = 0; i < d; i++)
			p[s] += tau * q[t * d + i] * k[s * d + i];
		max = fmax(max, p[s]);
	}
	for (int s = 0; s <= t; s++)
		sum += p[s] = exp(p[s] - max);
	for (int s = 0; s <= t; s++)
		p[s] /= sum;
}

void ref_head(int T, int d, int dv, double tau, const double *q, const double *k, const double *v, double *o)
{
	double p[256];
	memset(o, 0, sizeof *o * (size_t)(T * dv));
	for (int t = 0; t < T; t++) {
		head_probs(t, d, tau, q, k, p);
		for (int s = 0; s <= t; s++)
			for (int i = 0; i < dv; i++)
				o[t * dv + i] += p[s] * v[s * dv + i];
	}
}

void ref_head_back(int T, int d, int dv, double tau, const double *q, const double *k, const double *v, const double *go, double *gq, double *gk,
	double *gv)
{
	double p[256], dp[256];
	for (int t = 0; t < T; t++) {
		double mean = 0;
		head_probs(t, d, tau, q, k, p);
		for (int s = 0; s <= t; s++) {
			dp[s] = 0;
			for (int i = 0; i < dv; i++) {
				dp[s] += go[t * dv + i] * v[s * dv + i];
				gv[s * dv + i] += p[s] * go[t * dv + i];
			}
			mean += p[s] * dp[s];
		}
		for (int s = 0; s <= t; s++)
			for (int i = 0; i < d; i++) {
				gq[t * d + i] += tau * p[s] * (dp[s] - mean) * k[s * d + i];
				gk[s * d + i] += tau * p[s] * (dp[s] - mean) * q[t * d + i];
			}
	}
}
