/* ref.h - straight-line references in double: plain loops over dense arrays, no tape, no gemm. What ops must
 * agree with. */
#ifndef TESTS_REF_H
#define TESTS_REF_H
#include <stdbool.h>
#include <stdint.h>

/* Causal attention of T rows that are the last of S keys. q [T, H*(d_k+d_r)], key head j at k[s*ldk +
 * j*k_width], k_R [S, d_r] or NULL, value head j at v[s*ldv + j*v_width]; o [T, H*d_v]. MHA G = H, GQA, MQA G
 * = 1; naive MLA: k and v inside kv. */
typedef struct RefHeads { int H, G, d_k, d_r, d_v; double scale; } RefHeads;
void ref_attend(const RefHeads *a, int T, int S, const double *q, const double *k, int ldk, int k_width,
	const double *k_R, const double *v, int ldv, int v_width, double *o);
/* Naive MLA from the latent: kv = c W^T, then ref_attend. */
void ref_mla(const RefHeads *a, int T, int S, int r, const double *q, const double *c, const double *k_R,
	const double *W, double *o);
/* Absorbed MLA, step by step as in mla.md 7. */
void ref_mla_absorbed(const RefHeads *a, int T, int S, int r, const double *q, const double *c,
	const double *k_R, const double *W, double *o);

/* y[T,N] = x[T,K] W[N,K]^T */
void ref_linear(int T, int N, int K, const double *x, const double *W, double *y);
void ref_rmsnorm(int T, int n, const double *x, const double *g, double eps, double *y);
/* One row of d numbers turned to position pos with angles pos * base^(-2i/d). */
void ref_rope(int d, int pos, double base, bool half, const double *x, double *y);
double ref_silu(double x);

/* Routers on the logits z[E] of one token: ids ascending, weights w[K] in that order. */
void ref_route_v2(const double *z, int E, int K, int n_group, int topk_group, bool normalise, double scale,
	int *id, double *w);
void ref_route_v3(const double *z, const double *bias, int E, int K, int n_group, int topk_group,
	double scale, int *id, double *w);
/* y = sum_k w_k E_k(x), E(x) = down (silu(gate x) * (up x)); gate, up [E][m,h], down [E][h,m]; K <= 64. */
void ref_experts(int h, int m, int K, const double *x, const int *id, const double *w, const double *gate,
	const double *up, const double *down, double *y);
#endif
