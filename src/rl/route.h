/* route.h - the experts that tokens were sent to: written down while sampling, and forced upon training (V3.2 report 3.1, "Keep Routing").
 * The gate's weights are computed anew over the forced experts, and gradients flow through them as usual. */
#ifndef RL_ROUTE_H
#define RL_ROUTE_H
#include "model/lm.h"
#include "rl/sample.h"

/* What a row of the forward is: token `at` of a sample. */
typedef struct RlRow { RlSample *s; int at; } RlRow;
typedef struct RlRoutes {
	const Lm *lm;
	int n_moe, K;
	int *place;              /* of each layer among the MoE layers, or -1 */
	int hook;
	enum { ROUTES_FREE, ROUTES_NOTE, ROUTES_FORCE } what;
	const RlRow *row;        /* of the forward that is going on */
} RlRoutes;

bool rl_routes_open(RlRoutes *r, Tape *t, const Lm *lm, Err *e);
void rl_routes_close(RlRoutes *r, Tape *t);
/* Numbers that a token's routes take in a sample. */
int64_t rl_routes_size(const RlRoutes *r);
/* Experts of a token in a layer: K of them. */
int32_t *rl_route_at(const RlRoutes *r, const RlSample *s, int moe, int at);
#endif
