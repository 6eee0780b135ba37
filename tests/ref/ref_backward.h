/* ref_backward.h - gradients by the definition (training.md 2): plain loops in double, no tape, no gemm. Gradients are added to; those of
 * weights may be NULL. */
#ifndef TESTS_REF_BACKWARD_H
#define TESTS_REF_BACKWARD_H

/* y[T,N] = x[T,K] W[N,K]^T */
void ref_linear_back(int T, int N, int K, const double *x, const double *W, const double *gy, double *gx, double *gW);
void ref_rmsnorm_back(int T, int n, const double *x, const double *g, double eps, const double *gy, double *gx, double *gg);
/* h = silu(a) b, n numbers */
void ref_swiglu_back(int n, const double *a, const double *b, const double *gh, double *ga, double *gb);
/* Pairs (2i, 2i+1) of d numbers, turned by the angles whose cosines and sines are given; back: by minus those. */
void ref_turn(int d, const double *c, const double *s, int back, const double *x, double *y);
/* One head, causal over T rows: q, k [T,d], v [T,dv], scale tau; o [T,dv]. */
void ref_head(int T, int d, int dv, double tau, const double *q, const double *k, const double *v, double *o);
void ref_head_back(int T, int d, int dv, double tau, const double *q, const double *k, const double *v, const double *go, double *gq, double *gk,
	double *gv);
#endif
