/* latent.h - how much of the KV latent a text uses: its spectrum over the positions at hand, what each head reads of it, and the
 * spectra of the weights that make it and take it apart. */
#ifndef ENGINE_LATENT_H
#define ENGINE_LATENT_H
#include "base/err.h"
#include "engine/lathe.h"

enum { LATENT_RANK_MAX = 1024 };
/* energy[r]: eigenvalues of the second moment of c_KV, largest first. heads[H x r]: the share of what head i reads (keys and values
 * together) that comes through each of these directions: lambda_j (|W_UK,i u_j|^2 + |W_UV,i u_j|^2), as parts of 1. down[r], up[r]:
 * singular values of W_DKV and W_UKV. */
typedef struct LatentReport { int r, H; int64_t tokens; float *energy, *heads, *down, *up; } LatentReport;

/* Multiplications that a report of this layer takes; 0: it has none (no latent, too wide a one, no positions yet). */
double latent_work(const LatheSession *s, int layer);
bool latent_report(const LatheSession *s, int layer, LatentReport *out, Err *e);
void latent_done(LatentReport *r);
#endif
