/* eigen.h - eigenvalues and eigenvectors of a symmetric matrix: spectra of latents and weights. */
#ifndef NUM_EIGEN_H
#define NUM_EIGEN_H
#include <stdbool.h>

/* a: n x n, row-major, symmetric (the lower triangle is read). Afterwards w[k] are the eigenvalues, largest first, and row k of a
 * is the eigenvector of w[k], of length 1. work: 2n numbers. False when a holds NaN or infinities, or when the iteration does not
 * settle (not known to happen for finite numbers); a is lost then. */
bool eigen_symmetric(double *a, int n, double *w, double *work);
/* Roy and Vetterli 2007: exp of the entropy of singular values as shares of their sum, 1 to n; 0 when all are zero. squared: s holds
 * their squares. */
double eigen_effective_rank(const double *s, int n, bool squared);
#endif
