/* kern_chain.h - the inner loop of products whose vectors run along the columns of the result: every element is one chain of
 * multiply-adds, and a tile's chains stay in registers while one row of a panel of the right-hand matrix after the other passes by.
 * Included by kern.c only.
 *
 * Four steps a turn, addresses that are one register and a literal each: with a neighbour on the other hyper-thread a core takes in
 * three instructions a cycle, so those that are not multiply-adds decide the speed (Zen 3: 0.85 of the peak with one step a turn
 * and index registers, 0.95 so). */
#ifndef NUM_KERN_CHAIN_H
#define NUM_KERN_CHAIN_H
#include "num/kern_vec.h"

/* Where the left-hand numbers of a tile lie. ROWS: row by row, one after the other. LAID: [step][row]. LANE: row by row, every
 * VL-th. PAIR: row by row, two of every 2 VL. */
typedef enum Lie { LIE_ROWS, LIE_LAID, LIE_LANE, LIE_PAIR } Lie;
enum { CHAIN_STEPS = 4, CHAIN_ACC = 24 };

/* Bytes from the first step's number to that of step u. */
INLINE int64_t lie_at(Lie lie, int mr, int u)
{
	const int64_t real_at = lie == LIE_ROWS ? u : lie == LIE_LAID ? u * mr : lie == LIE_LANE ? u * VL : u / 2 * 2 * VL + u % 2;
	return real_at * (int64_t)sizeof(real);
}

/* Keeps the compiler from making an index register of each address. */
#define OWN_REGISTER(p) __asm__ volatile("" : "+r"(p))

/* c += a b, c staying in its register: left the choice, compilers overwrite a or b at times, and move and spill the chains then. */
INLINE V chain_fma(V a, V b, V c)
{
#if KERN_WIDE
	__asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
	return c;
#elif defined(KERN_AVX2)
	__asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
	return c;
#else
	return v_fma(a, b, c);
#endif
}

INLINE V chain_left(Lie lie, int mr, const char *const *g, int64_t at, int r, int u)
{
	const char *p = lie == LIE_LAID ? g[0] + r * (int64_t)sizeof(real) : g[r];
	real v;
	memcpy(&v, p + at + lie_at(lie, mr, u), sizeof v);
	return v_set(v);
}

/* Step u of rows [r0, r1). out: where these chains end, and are stored one by one, vectors of a row side by side; NULL: they go on. */
INLINE void chain_rows(Lie lie, int mr, int nv, V *acc, const char *const *g, int64_t at, const char *w, int u, int r0, int r1,
	real *out, int64_t ld)
{
	V b[8];
	UNROLL
	for (int j = 0; j < nv; j++)
		b[j] = v_load(w + (u * nv + j) * (int64_t)sizeof(V));
	UNROLL
	for (int r = r0; r < r1; r++) {
		V a = chain_left(lie, mr, g, at, r, u);
		UNROLL
		for (int j = 0; j < nv; j++) {
			acc[r * nv + j] = chain_fma(a, b[j], acc[r * nv + j]);
			if (out) {
				v_store(out + r * ld + j * VL, acc[r * nv + j]);
				__asm__ volatile("" ::: "memory");
			}
		}
	}
}

INLINE void chain_step(Lie lie, int mr, int nv, V *acc, const char *const *g, int64_t at, const char *w, int u)
{
	chain_rows(lie, mr, nv, acc, g, at, w, u, 0, mr, NULL, 0);
}

/* The last turn. Its last two steps are done for half of the rows and then for the others, so that stores come between multiply-adds:
 * one after the other, the twelve of a tile hold the core up for 23 cycles, so for 2 (Zen 3). */
INLINE void chain_end(Lie lie, int mr, int nv, V *acc, const char *const *g, int64_t at, const char *w, real *out, int64_t ld)
{
	const int half = (mr + 1) / 2;
	OWN_REGISTER(at);
	chain_step(lie, mr, nv, acc, g, at, w, 0);
	OWN_REGISTER(at);
	chain_step(lie, mr, nv, acc, g, at, w, 1);
	UNROLL
	for (int r = 0; r < mr; r += half)
		UNROLL
		for (int u = 2; u < CHAIN_STEPS; u++) {
			OWN_REGISTER(at);
			chain_rows(lie, mr, nv, acc, g, at, w, u, r, r + half < mr ? r + half : mr, u + 1 == CHAIN_STEPS ? out : NULL, ld);
		}
}

/* n steps of a tile of mr rows and nv vectors from acc on, which end in out. w: the panel, nv vectors a step. g: the rows (LAID: the
 * first of them), `at` the bytes to their first number. lie, mr and nv are literals at each call. PAIR: n is even. */
INLINE void chain_run(Lie lie, int mr, int nv, V *acc, const char *const *g, int64_t at, const char *w, int64_t n, real *out, int64_t ld)
{
	const int few = lie == LIE_PAIR ? 2 : 1;
	for (int64_t i = n % CHAIN_STEPS; i > 0; i -= few) {
		UNROLL
		for (int u = 0; u < few; u++)
			chain_step(lie, mr, nv, acc, g, at, w, u);
		at += lie_at(lie, mr, few);
		w += few * nv * (int64_t)sizeof(V);
	}
	if (n < CHAIN_STEPS) {
		UNROLL
		for (int i = 0; i < mr * nv; i++)
			v_store(out + i / nv * ld + i % nv * VL, acc[i]);
		return;
	}
	for (const int64_t end = at + (n / CHAIN_STEPS - 1) * lie_at(lie, mr, CHAIN_STEPS); at != end; at += lie_at(lie, mr, CHAIN_STEPS)) {
		UNROLL
		for (int u = 0; u < CHAIN_STEPS; u++) {
			OWN_REGISTER(at);
			chain_step(lie, mr, nv, acc, g, at, w, u);
		}
		w += CHAIN_STEPS * nv * (int64_t)sizeof(V);
		OWN_REGISTER(w);
	}
	chain_end(lie, mr, nv, acc, g, at, w, out, ld);
}
#endif
